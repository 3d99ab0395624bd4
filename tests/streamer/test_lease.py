import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.lease import Lease, LeaseTerms
from streamer.protocol import Ending

TERMS = LeaseTerms(silent_s=5, away_s=15, limit_s=60)


def away(lease: Lease) -> bool:
    return lease.is_away


def lived(lease: Lease, begin_s: int, end_s: int, *, beats: bool) -> list[str]:
    """Look every second; the reasons to end that came up."""
    reasons = []
    for now_s in range(begin_s, end_s):
        if beats:
            lease.hear(now_s)
        reasons.append(lease.look(now_s))
    return [reason for reason in reasons if reason]


def test_a_network_cut_of_three_seconds_is_not_even_noticed() -> None:
    lease = Lease(TERMS, 0)
    assert lived(lease, 0, 10, beats=True) == []
    assert lived(lease, 10, 13, beats=False) == []
    assert not away(lease)
    assert lived(lease, 13, 20, beats=True) == []


def test_one_who_falls_silent_is_away_and_then_given_up() -> None:
    lease = Lease(TERMS, 0)
    assert lived(lease, 0, 6, beats=False) == []
    assert not away(lease)
    assert lived(lease, 6, 21, beats=False) == []
    assert away(lease)
    assert lease.look(21) == "no heartbeat for 20 s"


def test_one_who_comes_back_in_time_stays() -> None:
    lease = Lease(TERMS, 0)
    lived(lease, 0, 18, beats=False)
    lease.hear(18)
    assert not away(lease)
    assert lived(lease, 18, 37, beats=False) == []


def test_a_broken_connection_leaves_the_time_to_come_back() -> None:
    lease = Lease(TERMS, 0)
    lived(lease, 0, 10, beats=True)
    lease.cut(10)
    lease.cut(12)  # a second report of the same
    assert away(lease)
    assert lived(lease, 10, 25, beats=False) == []
    assert lease.look(26)
    lease.resume(26)
    assert not away(lease)
    assert lease.look(27) is None


def test_the_limit_is_told_before_it_comes() -> None:
    lease = Lease(TERMS, 0)
    told = {}
    for now_s in range(61):
        lease.hear(now_s)
        warning = lease.warning(now_s)
        if warning:
            told[now_s] = warning
        assert (lease.look(now_s) is None) == (now_s < 60)
    assert told == {
        30: Ending(30.0, "the time limit of a session"),
        50: Ending(10.0, "the time limit of a session"),
    }
    assert lease.look(60) == "the time limit of a session"
    assert lease.left_s(20) == 40
    assert lease.left_s(70) == 0


def test_a_stopping_server_shortens_a_lease_and_never_lengthens_one() -> None:
    lease = Lease(TERMS, 0)
    assert lease.end_within(20, "the server stops", 5) == Ending(20, "the server stops")
    assert lease.end_within(30, "again", 6) is None
    assert lease.warning(6) is None, "just told"
    assert lease.warning(15) == Ending(10, "the server stops")
    lease.hear(24)
    assert lease.look(25) == "the server stops"
    endless = Lease(LeaseTerms(), 0)
    assert endless.left_s(1e9) is None
    assert endless.warning(1e9) is None


@given(jump_s=st.floats(3.5, 1e6))
def test_a_stall_of_our_own_is_not_held_against_the_visitor(jump_s: float) -> None:
    lease = Lease(LeaseTerms(), 0)
    lease.look(4)
    assert lease.look(4 + jump_s) is None
    assert not away(lease)
    assert lived(lease, 0, 1, beats=False) == [], "nor is a clock that goes back"


@pytest.mark.parametrize("field", ["away_s", "limit_s"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_terms_are_checked(field: str, value: float) -> None:
    with pytest.raises(ValueError, match="expected more than 0"):
        LeaseTerms(**{field: value})


def test_one_who_leaves_for_a_moment_is_waited_for_so_long_only() -> None:
    lease = Lease(TERMS, 0)
    lived(lease, 0, 10, beats=True)
    lease.leave(8, 10)
    assert away(lease)
    assert lived(lease, 10, 19, beats=True) == [], "what was still on the way is no return"
    assert lease.look(19) == "the visitor left"
    lease.expect(18)
    assert lived(lease, 18, 30, beats=False) == []
    lease.resume(30)
    assert not away(lease)


def test_nobody_is_waited_for_longer_than_for_those_who_are_away() -> None:
    lease = Lease(TERMS, 0)
    lease.leave(1000, 0)
    assert lived(lease, 0, 21, beats=False) == []
    assert lease.look(21) == "the visitor left"
