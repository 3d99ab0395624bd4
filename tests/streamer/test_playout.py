from hypothesis import given
from hypothesis import strategies as st

from streamer.playout import CAPACITY_FRAMES, MAX_LATE_FRAMES, Playout, Shown


def playing(*slots: int) -> Playout[str]:
    """A playout that has shown these, each with its own picture."""
    playout: Playout[str] = Playout()
    for slot in slots:
        playout.offer(slot, f"{slot}")
        playout.due(slot)
        playout.give_up()
    return playout


def test_a_picture_in_time_is_shown_on_time() -> None:
    playout: Playout[str] = Playout()
    assert playout.offer(0, "0") is None
    assert playout.due(0) == (0, 0, "0")
    assert playout.give_up() is None
    assert (playout.shown_frames, playout.repeated_frames, playout.dropped_frames) == (1, 0, 0)


def test_a_slightly_late_one_is_shown_when_it_comes() -> None:
    playout = playing(0)
    assert playout.due(1) is None
    assert playout.offer(1, "1") == (1, 1, "1")
    assert playout.give_up() is None


def test_a_later_one_is_shown_in_the_next_slot_after_a_repeat() -> None:
    playout = playing(0)
    playout.due(1)
    assert playout.give_up() == (0, 1, "0")
    assert playout.offer(1, "1") is None
    assert playout.due(2) == (1, 2, "1")
    assert (playout.shown_frames, playout.repeated_frames, playout.dropped_frames) == (2, 1, 0)


def test_the_newest_one_wins_and_the_others_are_dropped() -> None:
    playout = playing(0)
    for slot in (1, 2, 3):
        playout.due(slot)
        playout.give_up()
    for frame in (1, 2, 3):
        playout.offer(frame, f"{frame}")
    assert playout.due(4) == (3, 4, "3")
    assert playout.dropped_frames == 2


def test_more_than_120_ms_late_is_too_late() -> None:
    playout = playing(0)
    for slot in range(1, 2 + MAX_LATE_FRAMES):
        playout.due(slot)
        assert playout.give_up() == (0, slot, "0")
    assert playout.offer(1, "1") is None
    assert playout.due(2 + MAX_LATE_FRAMES) is None
    assert playout.dropped_frames == 1


def test_before_the_first_there_is_nothing_to_repeat() -> None:
    playout: Playout[str] = Playout()
    playout.due(0)
    assert playout.give_up() is None
    assert playout.repeated_frames == 0


def test_an_interrupt_drops_what_waits() -> None:
    playout = playing(0)
    playout.offer(1, "old")
    playout.forget(2)
    playout.due(1)
    assert playout.give_up() == (0, 1, "0")
    assert playout.due(2) is None
    assert playout.offer(1, "old, and late") is None
    assert playout.offer(2, "new") == (2, 2, "new")


def test_it_is_bounded() -> None:
    playout: Playout[int] = Playout()
    for number in range(CAPACITY_FRAMES + 5):
        playout.offer(number, number)
    assert playout.dropped_frames == 5


@given(
    events=st.lists(
        st.tuples(st.sampled_from(["offer", "due", "give_up"]), st.integers(0, 30)), max_size=80
    )
)
def test_each_frame_and_each_slot_at_most_once_and_in_order(events: list[tuple[str, int]]) -> None:
    playout: Playout[int] = Playout()
    offered, clock, left = set[int](), 0, list[Shown[int] | None]()
    for kind, number in events:
        if kind == "offer" and number not in offered:
            offered.add(number)
            left.append(playout.offer(number, number))
        elif kind == "due":
            left.append(playout.give_up())
            left.append(playout.due(clock))
            clock += 1
        elif kind == "give_up":
            left.append(playout.give_up())
    shown = [each for each in left if each is not None]
    slots = [each.slot for each in shown]
    assert slots == sorted(set(slots))
    frames = [each.frame for each in shown]
    assert frames == sorted(frames)
    assert len(set(frames)) == playout.shown_frames
    assert len(shown) == playout.shown_frames + playout.repeated_frames
    assert all(each.slot - each.frame >= 0 for each in shown)
