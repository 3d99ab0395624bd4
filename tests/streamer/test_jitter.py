import itertools

import pytest
from aiortc import RTCPeerConnection
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from streamer import jitter
from streamer.jitter import (
    MAX_WAIT_S,
    WINDOW_PACKETS,
    Overtaking,
    PassOn,
    ReorderWindow,
    UnsupportedAiortcError,
    replace_jitter_buffer,
)


def packet(number: int, source: int = 1) -> RtpPacket:
    made = RtpPacket(sequence_number=number % 65_536, timestamp=number * 960 % 2**32)
    made.ssrc = source
    return made


def feed(window: ReorderWindow, numbers: list[int], period_s: float = 0.02) -> list[list[int]]:
    return [
        [ready.sequence_number for ready in window.add(packet(number), index * period_s)]
        for index, number in enumerate(numbers)
    ]


def test_in_order_nothing_waits() -> None:
    assert feed(ReorderWindow(), [5, 6, 7]) == [[5], [6], [7]]


def test_a_lost_packet_costs_nothing_where_none_overtakes() -> None:
    window = ReorderWindow()
    assert feed(window, [1, 2, 4, 5, 6]) == [[1], [2], [4], [5], [6]]
    assert window.lost_packets == 1


def test_once_packets_overtook_each_other_they_are_put_right() -> None:
    window = ReorderWindow()
    out = feed(window, [1, 3, 2, 4, 6, 5, 7])
    assert out == [[1], [3], [], [4], [], [5, 6], [7]]


def test_then_a_lost_packet_costs_a_short_wait_and_no_standing_delay() -> None:
    window = ReorderWindow()
    feed(window, [1, 3, 2, 4])
    out = feed(window, [5, 7, 8, 9, 10, 11])
    assert out == [[5], [], [], [7, 8, 9], [10], [11]]
    assert 0.04 <= MAX_WAIT_S <= 0.06


def test_a_network_that_no_longer_reorders_is_trusted_again() -> None:
    window = ReorderWindow()
    feed(window, [1, 3, 2, 4])
    calm = [ready for n in range(5, 600) for ready in window.add(packet(n), n * 0.02)]
    assert len(calm) == 595
    assert [ready.sequence_number for ready in window.add(packet(601), 12.02)] == [601]


def test_waiting_never_takes_longer_than_the_limit() -> None:
    overtaking = Overtaking()
    overtaking.note(0.5, 1.0)
    assert overtaking.wait_s(1.0) == MAX_WAIT_S
    overtaking.note(0.01, 2.0)
    assert overtaking.wait_s(11.5) == pytest.approx(0.015)
    assert overtaking.wait_s(13.0) == 0.0


def test_a_late_packet_and_a_duplicate_are_dropped() -> None:
    assert feed(ReorderWindow(), [1, 2, 2, 1, 3]) == [[1], [2], [], [], [3]]
    assert feed(ReorderWindow(), [1, 3, 2, 2, 4]) == [[1], [3], [], [], [4]]


def test_numbers_wrap_around() -> None:
    out = feed(ReorderWindow(), [65_533, 65_535, 65_534, 65_536, 65_538, 65_537])
    assert list(itertools.chain(*out)) == [65_533, 65_535, 0, 1, 2]


@pytest.mark.parametrize("fresh", [packet(30_000), packet(1, source=2)])
def test_a_jump_or_another_source_is_a_new_beginning(fresh: RtpPacket) -> None:
    window = ReorderWindow()
    feed(window, [1, 3, 2, 4, 6])
    assert window.add(fresh, 0.06) == [fresh]


@given(
    order=st.permutations(range(40)),
    lost=st.sets(st.integers(1, 39)),
    period_s=st.floats(0.001, 0.03),
)
def test_whatever_comes_leaves_in_order_at_most_once_and_waits_for_little(
    order: list[int], lost: set[int], period_s: float
) -> None:
    window = ReorderWindow()
    near = sorted(order, key=lambda number: number // 4)  # shuffled within four
    came = [0, *(number for number in near if number and number not in lost)]
    out = list(itertools.chain(*feed(window, came, period_s)))
    assert out == sorted(set(out))
    late = sum(number < max(came[:index]) for index, number in enumerate(came) if index)
    assert len(out) >= len(came) - late - WINDOW_PACKETS


async def test_aiortc_still_has_the_parts_that_we_replace() -> None:
    connection = RTCPeerConnection()
    receiver = connection.addTransceiver("audio").receiver
    assert type(receiver._RTCRtpReceiver__jitter_buffer).__name__ == "JitterBuffer"  # type: ignore[attr-defined]
    replace_jitter_buffer(receiver, lambda: 0.0)
    assert isinstance(receiver._RTCRtpReceiver__jitter_buffer, PassOn)  # type: ignore[attr-defined]
    await connection.close()


async def test_without_those_parts_we_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = RTCPeerConnection()
    receiver = connection.addTransceiver("audio").receiver
    del receiver._RTCRtpReceiver__jitter_buffer  # type: ignore[attr-defined]
    with pytest.raises(UnsupportedAiortcError, match="jitter_buffer"):
        replace_jitter_buffer(receiver, lambda: 0.0)
    monkeypatch.setattr(jitter, "version", lambda _: "1.17.0")
    with pytest.raises(UnsupportedAiortcError, match=r"aiortc 1\.17\.0: expected 1\.16"):
        jitter.check_aiortc()
    await connection.close()
