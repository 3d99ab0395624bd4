"""How long a session may live: its heartbeat, its absence, its time limit. Pure: time comes in.

A session whose visitor falls silent or whose connection breaks is away; it goes on for a while, so
that the visitor finds it again, and ends if nobody comes. A time limit, or the stop of the server,
is told before it comes.
"""

import math
from dataclasses import dataclass

from streamer.protocol import Ending

WARN_AT_S = (30.0, 10.0)
_STALL_S = 3.0  # looks are a second apart: a longer gap is our own stall, not the visitor's
_TIME_LIMIT = "the time limit of a session"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerms:
    """What is granted to every session."""

    silent_s: float = 5.0  # without a heartbeat until the visitor is taken to be away
    away_s: float = 15.0  # until one who is away is given up
    limit_s: float = math.inf

    def __post_init__(self) -> None:
        for name, value in (("away time", self.away_s), ("session limit", self.limit_s)):
            if not value > 0:
                raise ValueError(f"{name} {value:g} s: expected more than 0")


class Lease:
    """One session's time. Ask `look` about once a second."""

    def __init__(self, terms: LeaseTerms, now_s: float) -> None:
        self._terms = terms
        self._patience_s = terms.silent_s + terms.away_s
        self._heard_s = now_s
        self._looked_s = now_s
        self._is_cut = False
        self.has_left = False  # and may be back soon
        self._end_s = now_s + terms.limit_s
        self._end_reason = _TIME_LIMIT
        self._warn_at_s = list(WARN_AT_S)

    @property
    def is_away(self) -> bool:
        """Whether the visitor cannot be reached."""
        return self._is_cut or self._looked_s - self._heard_s > self._terms.silent_s

    def left_s(self, now_s: float) -> float | None:
        """Seconds until the session must end; None without a limit."""
        left_s = self._end_s - now_s
        return None if math.isinf(left_s) else max(0.0, round(left_s, 1))

    def hear(self, now_s: float) -> None:
        """The visitor gave a sign of life; what comes late from one who left is none."""
        if not self.has_left:
            self._heard_s = self._looked_s = now_s

    def cut(self, now_s: float) -> None:
        """The connection broke."""
        if not self._is_cut:
            self._is_cut = True
            self._heard_s = min(self._heard_s, now_s - self._terms.silent_s)

    def leave(self, within_s: float, now_s: float) -> None:
        """The visitor leaves, and may be back within a time: a page that is loaded again."""
        self._is_cut = self.has_left = True
        self._heard_s = now_s - max(0.0, self._patience_s - within_s)

    def expect(self, now_s: float) -> None:
        """The visitor is on the way, on another connection."""
        self.has_left = False
        self.hear(now_s)

    def resume(self, now_s: float) -> None:
        """The visitor is here, on this connection or on another."""
        self._is_cut = False
        self.expect(now_s)

    def end_within(self, within_s: float, reason: str, now_s: float) -> Ending | None:
        """Let it end earlier than otherwise; what the visitor must be told."""
        if now_s + within_s >= self._end_s:
            return None
        self._end_s, self._end_reason = now_s + within_s, reason
        self._warn_at_s = [limit_s for limit_s in WARN_AT_S if limit_s < within_s]
        return Ending(round(within_s, 1), reason)

    def warning(self, now_s: float) -> Ending | None:
        """What the visitor must be told now: each warning comes once."""
        left_s = self._end_s - now_s
        due = [limit_s for limit_s in self._warn_at_s if left_s <= limit_s]
        self._warn_at_s = [limit_s for limit_s in self._warn_at_s if left_s > limit_s]
        return Ending(max(0.0, round(left_s, 1)), self._end_reason) if due else None

    def look(self, now_s: float) -> str | None:
        """Why the session must end now, or None."""
        gap_s = now_s - self._looked_s
        if gap_s > _STALL_S:
            # This process slept, or the machine did: what the visitor sent lies unread.
            self._heard_s += gap_s
        self._looked_s = max(self._looked_s, now_s)
        if now_s >= self._end_s:
            return self._end_reason
        if now_s - self._heard_s <= self._patience_s:
            return None
        return "the visitor left" if self.has_left else f"no heartbeat for {self._patience_s:g} s"
