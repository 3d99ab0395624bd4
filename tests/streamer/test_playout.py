from hypothesis import given
from hypothesis import strategies as st

from streamer.playout import CAPACITY_FRAMES, Playout


def test_a_picture_in_time_is_shown_on_time() -> None:
    playout: Playout[str] = Playout()
    assert playout.offer(0, "a") is None
    assert playout.due(0) == "a"
    assert playout.give_up() is None
    assert (playout.shown_frames, playout.repeated_frames, playout.dropped_frames) == (1, 0, 0)


def test_a_slightly_late_one_is_shown_when_it_comes() -> None:
    playout: Playout[str] = Playout()
    assert playout.due(0) is None
    assert playout.offer(0, "a") == "a"
    assert playout.give_up() is None
    assert playout.shown_frames == 1


def test_a_late_one_is_replaced_by_the_last_and_dropped() -> None:
    playout: Playout[str] = Playout()
    playout.offer(0, "a")
    playout.due(0)
    assert playout.due(1) is None
    assert playout.give_up() == "a"
    assert playout.offer(1, "b") is None
    assert (playout.shown_frames, playout.repeated_frames, playout.dropped_frames) == (1, 1, 1)


def test_before_the_first_there_is_nothing_to_repeat() -> None:
    playout: Playout[str] = Playout()
    playout.due(0)
    assert playout.give_up() is None
    assert playout.repeated_frames == 0


def test_an_interrupt_drops_what_waits() -> None:
    playout: Playout[str] = Playout()
    playout.offer(0, "old 0")
    playout.offer(1, "old 1")
    assert playout.due(0) == "old 0"
    playout.forget(1)
    assert playout.due(1) is None
    assert playout.give_up() == "old 0"


def test_it_is_bounded() -> None:
    playout: Playout[int] = Playout()
    for number in range(CAPACITY_FRAMES + 5):
        playout.offer(number, number)
    assert playout.dropped_frames == 5


@given(events=st.lists(st.tuples(st.sampled_from(["offer", "due", "give_up"]), st.integers(0, 30))))
def test_each_frame_leaves_at_most_once_and_in_order(events: list[tuple[str, int]]) -> None:
    playout: Playout[int] = Playout()
    offered, clock, left = set[int](), 0, list[int]()
    for kind, number in events:
        picture = None
        if kind == "offer" and number not in offered:
            offered.add(number)
            picture = playout.offer(number, number)
        elif kind == "due":
            playout.give_up()
            picture = playout.due(clock)
            clock += 1
        elif kind == "give_up":
            playout.give_up()
        left += [] if picture is None else [picture]
    assert left == sorted(set(left))
    assert playout.shown_frames == len(left)
