from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.admission import Costs, Room, refusal
from streamer.load import USUAL_STREAMING_S, LoadMeter, cores

ROOM = Room(max_sessions=10, lanes=1, cores=2)


def admitted(costs: Costs, room: Room) -> int:
    """How many get in, one after the other."""
    count = 0
    while refusal(count, costs, room) is None:
        count += 1
    return count


@pytest.mark.parametrize(
    ("engine_ms", "streaming_ms", "lanes", "cores", "count"),
    [
        (9.0, 4.0, 1, 2, 4),  # 36 of 40 ms of the one engine
        (9.1, 4.0, 1, 2, 3),
        (9.0, 4.0, 2, 2, 5),  # the cores are full before the engines: 5 x 13 of 72 ms
        (9.0, 4.0, 2, 4, 8),  # now the engines are
        (1.0, 30.0, 1, 2, 2),
        (60.0, 1.0, 1, 2, 1),  # too slow for anybody: the only visitor may still look
        (0.1, 0.1, 1, 2, 10),
    ],
)
def test_by_hand(engine_ms: float, streaming_ms: float, lanes: int, cores: int, count: int) -> None:
    costs = Costs(engine_ms / 1000, streaming_ms / 1000)
    assert admitted(costs, Room(max_sessions=10, lanes=lanes, cores=cores)) == count


def test_every_refusal_says_what_is_short() -> None:
    assert refusal(10, Costs(0, 0), ROOM) == "10 of 10 sessions are in use: try again later"
    assert "would take 150% of an engine" in str(refusal(2, Costs(0.02, 0), ROOM))
    assert "of all cores, at most 90%" in str(refusal(2, Costs(0, 0.03), ROOM))


@given(
    engine_s=st.floats(0, 0.1),
    streaming_s=st.floats(0, 0.1),
    more_s=st.floats(0, 0.1),
    lanes=st.integers(1, 8),
)
def test_a_dearer_frame_never_lets_more_in(
    engine_s: float, streaming_s: float, more_s: float, lanes: int
) -> None:
    room = replace(ROOM, lanes=lanes)
    count = admitted(Costs(engine_s, streaming_s), room)
    assert 1 <= count <= 10
    assert admitted(Costs(engine_s + more_s, streaming_s), room) <= count
    assert admitted(Costs(engine_s, streaming_s + more_s), room) <= count


def test_the_meter_moves_slowly_and_takes_the_engine_off() -> None:
    spent_s = [0.0]
    meter = LoadMeter(engine_inside=True, cpu_s=lambda: spent_s[0])
    assert meter.costs == Costs(0.0, USUAL_STREAMING_S)
    for second in range(100):
        for number in range(50):
            meter.rendered(0.5 if number == 0 else 0.010)  # one hiccup a second
        spent_s[0] += 0.99 + 0.2 * 50 / 50  # engine, and 4 ms a frame of two sessions
        meter.second_over(2, 1.0)
        if second == 0:
            assert meter.costs.engine_s == pytest.approx(0.010)
            assert meter.costs.streaming_s > 0.0045
    assert meter.costs.engine_s == pytest.approx(0.010)
    assert meter.costs.streaming_s == pytest.approx(0.004, rel=0.02)
    before = meter.costs
    meter.second_over(0, 1.0)
    assert meter.costs == before, "nobody there, nothing learnt"


@pytest.mark.parametrize("inside", [True, False])
def test_a_film_makes_no_visitor_dearer(inside: bool) -> None:
    spent_s = [0.0]
    meter = LoadMeter(engine_inside=inside, cpu_s=lambda: spent_s[0])
    for _ in range(100):
        meter.rendered(0.010)
        spent_s[0] += 0.004 * 25 + inside * 0.010  # one visitor
        for _ in range(60):  # frames of a film, which waits for nobody
            meter.film_took(0.010, 0.001)
            spent_s[0] += 0.010 if inside else 0.001
        meter.second_over(1, 1.0)
    assert meter.costs.engine_s == pytest.approx(0.010)
    assert meter.costs.streaming_s == pytest.approx(0.004, rel=0.02)


def test_a_bad_start_is_soon_outvoted() -> None:
    meter = LoadMeter(engine_inside=False, cpu_s=lambda: 0.0)
    meter.rendered(0.300)
    meter.second_over(0, 0.0)
    assert meter.costs.engine_s == 0.300
    for _ in range(9):
        meter.rendered(0.010)
        meter.second_over(1, 1.0)
    assert meter.costs.engine_s == pytest.approx(0.039)


def test_there_is_a_core() -> None:
    assert cores() >= 1
