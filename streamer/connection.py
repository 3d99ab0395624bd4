"""What every WebRTC connection of ours does: answer one offer, take candidates, hang up."""

import logging
from functools import partial
from typing import Protocol

from aiortc import (
    RTCConfiguration,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.rtcrtpparameters import RTCRtpCodecCapability
from aiortc.sdp import SessionDescription

from engine.api import AvatarError
from streamer.jitter import UnsupportedAiortcError, check_aiortc
from streamer.trickle import (
    MAX_CANDIDATES,
    BadFragmentError,
    Fragment,
    IceRestartError,
    TooManyCandidatesError,
)
from streamer.udp_ports import NoUdpPortError

log = logging.getLogger(__name__)
GATHER_WITHIN_S = 1.0  # STUN and TURN servers that are slower are done without
RELAY_WITHIN_S = 5.0  # unless there is no other way
_GATHER_NAME = "get_component_candidates"
# What aiortc raises on offers that are broken in one way or another.
OFFER_ERRORS = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    StopIteration,
    InternalError,
    InvalidAccessError,
    InvalidStateError,
    OperationError,
)


class BadOfferError(AvatarError):
    """An SDP offer that cannot be answered."""


class ConnectionListener(Protocol):
    """Who wants to know whether media flows. Both are called on the event loop."""

    def peer_connected(self) -> None:
        """Media can flow."""
        ...

    def peer_left(self, reason: str) -> None:
        """The connection is gone."""
        ...


class Connection:
    """The server's end; what flows over it is up to the kinds of connection."""

    def __init__(self, configuration: RTCConfiguration, listener: ConnectionListener) -> None:
        self._events = listener
        self._ice_username = ""
        self._candidates = 0  # of the peer
        self._connection = RTCPeerConnection(configuration)
        relays = configuration.iceTransportPolicy is RTCIceTransportPolicy.RELAY
        self._gather_within_s = RELAY_WITHIN_S if relays else GATHER_WITHIN_S
        self._connection.on("connectionstatechange", self._state_changed)

    async def add_candidates(self, fragment: Fragment) -> None:
        """Take candidates that came after the offer. Raises what `streamer.trickle` names."""
        if fragment.username != self._ice_username:
            raise IceRestartError("an ICE restart: expected candidates of the offer's ice-ufrag")
        self._candidates += len(fragment.candidates)
        if self._candidates > MAX_CANDIDATES:
            raise TooManyCandidatesError(
                f"{self._candidates} candidates: expected at most {MAX_CANDIDATES}"
            )
        last = [None] if fragment.is_last else []
        try:
            for candidate in [*fragment.candidates, *last]:
                await self._connection.addIceCandidate(candidate)
        except ValueError as error:
            raise BadFragmentError(f"candidates that cannot be used: {error}") from error

    async def aclose(self) -> None:
        """Hang up; safe to call twice."""
        await self._connection.close()

    def _read(self, offer: str) -> SessionDescription:
        """What is offered, and who offers. Raises `BadOfferError`."""
        try:
            description = SessionDescription.parse(offer)
        except OFFER_ERRORS as error:
            raise BadOfferError(f"not an SDP offer: {offer[:40]!r}") from error
        self._candidates = sum(len(section.ice_candidates) for section in description.media)
        if self._candidates > MAX_CANDIDATES:
            raise BadOfferError(f"{self._candidates} candidates: expected at most {MAX_CANDIDATES}")
        _check_bundles(description)
        # The sections of a bundle share one user name.
        ice = description.media[0].ice if description.media else None
        self._ice_username = (ice.usernameFragment or "") if ice else ""
        return description

    async def _hear_offer(self, offer: str) -> None:
        await self._connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))

    async def _make_answer(self) -> str:
        connection = self._connection
        answer = await connection.createAnswer()
        _bound_gathering(connection, self._gather_within_s)
        await connection.setLocalDescription(answer)
        text = str(connection.localDescription.sdp)
        if "a=candidate:" not in text:
            raise NoUdpPortError("no way to send media from here: no free UDP port, or no relay")
        return text

    def _state_changed(self) -> None:
        state = self._connection.connectionState
        log.debug("peer is %s", state)
        if state == "connected":
            self._events.peer_connected()
        elif state in ("failed", "closed"):
            self._events.peer_left(f"connection {state}")


def _bound_gathering(connection: RTCPeerConnection, within_s: float) -> None:
    """aiortc lets the answer, and the visitor, wait five seconds for a server that is silent."""
    check_aiortc()
    transports = [each.receiver.transport for each in connection.getTransceivers()]
    if connection.sctp is not None:
        transports.append(connection.sctp.transport)
    for ice in {getattr(each.transport, "_connection", None) for each in transports}:
        if not hasattr(ice, _GATHER_NAME):
            raise UnsupportedAiortcError(f"aioice's Connection has no {_GATHER_NAME}")
        setattr(ice, _GATHER_NAME, partial(getattr(ice, _GATHER_NAME), timeout=within_s))


def _check_bundles(description: SessionDescription) -> None:
    """aiortc takes the first of a bundle for its transport, and breaks where there is none."""
    known = [section.rtp.muxId for section in description.media]
    if len(set(known)) < len(known):
        raise BadOfferError(f"sections named {', '.join(known)[:80]}: expected one name each")
    for group in description.group:
        first = str(group.items[0]) if group.items else ""
        if group.semantic == "BUNDLE" and first not in known:
            raise BadOfferError(f"bundle of {first[:40]!r}: expected the name of a section")


def capabilities(kind: str, prefix: str) -> list[RTCRtpCodecCapability]:
    """The codecs that we speak and whose media type begins with `prefix`."""
    codecs = RTCRtpSender.getCapabilities(kind).codecs
    return [codec for codec in codecs if codec.mimeType.startswith(prefix)]
