"""Offers of connections that go one way, as those of WHIP and WHEP do."""

from dataclasses import dataclass
from typing import Literal

from aiortc.sdp import SessionDescription

from streamer.connection import BadOfferError


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWay:
    """What may be offered."""

    direction: Literal["sendonly", "recvonly"]  # seen from whoever offers
    sections: tuple[tuple[str, ...], ...]  # the kinds that go together, sorted
    expected: str  # the same in words

    def check(self, description: SessionDescription) -> list[str]:
        """The kinds that are offered, in their order. Raises `BadOfferError`."""
        kinds = [section.kind for section in description.media]
        if tuple(sorted(kinds)) not in self.sections:
            raise BadOfferError(
                f"SDP offer with the sections {', '.join(kinds)[:80] or 'none'}: "
                f"expected {self.expected}, and no data channel"
            )
        for section in description.media:
            if section.direction not in (self.direction, "sendrecv"):
                raise BadOfferError(
                    f"{section.kind} is {section.direction}: expected {self.direction}"
                )
        return kinds
