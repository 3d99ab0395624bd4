from streamer.pursuit import Pursuit


def verdicts(chunk_frames: int, *frames: tuple[float, bool]) -> list[bool]:
    pursuit = Pursuit(chunk_frames)
    return [pursuit.is_hopeless(needed_s, is_too_late) for needed_s, is_too_late in frames]


def test_who_loses_a_little_with_every_frame_is_hopeless_once_too_late() -> None:
    assert verdicts(1, (0.10, False), (0.12, False), (0.14, True)) == [False, False, True]


def test_who_stumbled_catches_up_alone() -> None:
    assert not any(verdicts(1, (0.02, False), (0.40, True), (0.37, True), (0.34, True)))


def test_who_was_never_in_time_is_given_time() -> None:
    assert not any(verdicts(1, (0.40, True), (0.42, True), (0.44, True)))


def test_chunks_are_not_begun_again() -> None:
    assert not any(verdicts(4, (0.10, False), (0.12, False), (0.14, True)))


def test_a_new_beginning_forgets() -> None:
    pursuit = Pursuit(1)
    pursuit.is_hopeless(0.10, False)
    pursuit.restart()
    assert not pursuit.is_hopeless(0.12, True)
