"""Candidates that come after the offer, as `application/trickle-ice-sdpfrag` (RFC 8840)."""

from dataclasses import dataclass

from aiortc import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp

from engine.api import AvatarError

MAX_FRAGMENT_BYTES = 16 * 1024
MAX_CANDIDATES = 64


class BadFragmentError(AvatarError):
    """A fragment that cannot be read, or that fits no section of the offer."""


class IceRestartError(AvatarError):
    """A fragment with another user name: the peer wants to begin ICE again."""


class TooManyCandidatesError(AvatarError):
    """More candidates than any honest peer has."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a fragment says."""

    username: str  # "ice-ufrag"
    candidates: tuple[RTCIceCandidate, ...]
    is_last: bool


def parse_fragment(text: str) -> Fragment:
    """Read a fragment. Raises `BadFragmentError`."""
    username, mid, is_last = "", None, False
    candidates: list[RTCIceCandidate] = []
    for line in text.splitlines():
        name, _, value = line.strip().removeprefix("a=").partition(":")
        if name == "ice-ufrag":
            username = value
        elif name == "mid":
            mid = value
        elif name == "end-of-candidates":
            is_last = True
        elif name == "candidate":
            candidates.append(_candidate(value, mid))
    if not username:
        raise BadFragmentError(f"SDP fragment {text[:40]!r}: expected a line a=ice-ufrag")
    return Fragment(username, tuple(candidates), is_last)


def _candidate(value: str, mid: str | None) -> RTCIceCandidate:
    if mid is None:
        raise BadFragmentError(f"candidate {value[:40]!r}: expected a line a=mid before it")
    try:
        candidate = candidate_from_sdp(value)
    except (ValueError, AssertionError, LookupError) as error:
        raise BadFragmentError(f"candidate {value[:40]!r}: expected one of RFC 8839") from error
    candidate.sdpMid = mid
    return candidate
