import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.trickle import BadFragmentError, parse_fragment

CANDIDATE = "candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host"
FRAGMENT = f"""a=ice-ufrag:EsAw\r
a=ice-pwd:bP+XJMM09aR8AiX1jdukzR6Y\r
m=audio 9 RTP/AVP 0\r
a=mid:0\r
a={CANDIDATE}\r
a=end-of-candidates\r
"""


def test_a_fragment_is_read() -> None:
    fragment = parse_fragment(FRAGMENT)
    assert fragment.username == "EsAw"
    assert fragment.is_last
    (candidate,) = fragment.candidates
    assert (candidate.ip, candidate.port, candidate.sdpMid) == ("192.0.2.7", 50_000, "0")


def test_names_of_browsers_that_hide_their_address_are_kept() -> None:
    fragment = parse_fragment(FRAGMENT.replace("192.0.2.7", "4f1a-5.local"))
    assert fragment.candidates[0].ip == "4f1a-5.local"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        FRAGMENT.replace("ice-ufrag", "ice-nothing"),
        FRAGMENT.replace("a=mid:0", "a=middle:0"),
        FRAGMENT.replace("50000", "many"),
        FRAGMENT.replace(CANDIDATE, "candidate:1 1 udp"),
    ],
)
def test_what_is_no_fragment(text: str) -> None:
    with pytest.raises(BadFragmentError, match="expected"):
        parse_fragment(text)


@given(st.text() | st.lists(st.sampled_from(FRAGMENT.splitlines()) | st.text()).map("\n".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        fragment = parse_fragment(text)
    except BadFragmentError:
        return
    assert fragment.username
