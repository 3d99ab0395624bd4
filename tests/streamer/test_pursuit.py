from streamer.pursuit import Pursuit

LIMIT_S = 0.26


def verdicts(chunk_frames: int, *frames: tuple[float, float]) -> list[bool]:
    """Of frames that took so long, and were ready so long after they were due."""
    pursuit, now_s, seen = Pursuit(chunk_frames, 0.0), 0.0, []
    for took_s, needed_s in frames:
        now_s += took_s
        seen.append(pursuit.is_hopeless(needed_s, now_s, LIMIT_S))
    return seen


def test_who_loses_a_little_with_every_frame_is_hopeless_before_it_shows() -> None:
    slow = [(0.06, 0.20), (0.06, 0.22), (0.06, 0.24), (0.06, 0.26)]
    assert verdicts(1, *slow) == [False, False, False, True]


def test_who_stumbled_catches_up_alone() -> None:
    assert not any(verdicts(1, (0.01, 0.02), (0.35, 0.36), (0.01, 0.33), (0.01, 0.30)))


def test_who_was_seen_twice_is_not_judged() -> None:
    assert not any(verdicts(1, (0.5, 0.5), (0.5, 1.0)))


def test_chunks_are_not_begun_again() -> None:
    assert not any(verdicts(4, (0.06, 0.24), (0.06, 0.26), (0.06, 0.28)))


def test_how_long_frames_take_is_not_forgotten_by_a_new_beginning() -> None:
    pursuit = Pursuit(1, 0.0)
    for now_s in (0.13, 0.26, 0.39):
        pursuit.is_hopeless(0.1, now_s, LIMIT_S)
    pursuit.restart(1.0)
    assert pursuit.is_hopeless(0.2, 1.13, LIMIT_S), "the next one would be too late"
    pursuit.restart(2.0)
    pursuit.is_hopeless(0.1, 2.01, LIMIT_S)
    assert not pursuit.is_hopeless(0.2, 2.02, LIMIT_S), "and it is fast again"
