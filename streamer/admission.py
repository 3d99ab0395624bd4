"""Whether one more session would break the others. Pure arithmetic over measured costs."""

from dataclasses import dataclass

from engine.api import AvatarError
from engine.config import TIMING


class ServerFullError(AvatarError):
    """No room for another session."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What one frame of one session takes, slowly estimated."""

    engine_s: float  # of an engine's thread
    streaming_s: float  # of a core: encoding, encryption, packets


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What there is to share."""

    max_sessions: int
    lanes: int  # engines that compute side by side
    cores: float
    reserve: float = 0.1  # of every resource, for hiccups and for the rest of the machine


def refusal(sessions: int, costs: Costs, room: Room) -> str | None:
    """Why there is no room beside so many sessions, or None.

    The first one is always let in: nobody is there to be disturbed, and only it can show that the
    machine became faster.
    """
    wanted = sessions + 1
    if wanted > room.max_sessions:
        return f"{sessions} of {room.max_sessions} sessions are in use: try again later"
    if not sessions:
        return None
    lane_share = -(-wanted // room.lanes) * costs.engine_s / TIMING.frame_s
    if lane_share > 1 - room.reserve:
        return _told(sessions, "an engine", lane_share, room)
    engines = min(float(room.lanes), wanted * costs.engine_s / TIMING.frame_s)
    core_share = (engines + wanted * costs.streaming_s / TIMING.frame_s) / room.cores
    if core_share > 1 - room.reserve:
        return _told(sessions, "all cores", core_share, room)
    return None


def _told(sessions: int, what: str, share: float, room: Room) -> str:
    return (
        f"{sessions} sessions are in use, one more would take {share:.0%} of {what}, "
        f"at most {1 - room.reserve:.0%} may be: try again later"
    )
