"""The websocket that takes speech: PCM16 little-endian, mono, 16 kHz."""

import asyncio
import json

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from engine.api import AvatarError, Samples
from streamer.session import Session

CLOSE_BAD_DATA = 1007
CLOSE_GOING_AWAY = 1001
_FULL_SCALE = 32_768
_SAMPLE_BYTES = 2
_LOOK_FOR_ROOM_EVERY_S = 0.02


class BadSpeechError(AvatarError):
    """A websocket message that is neither PCM nor a known word."""


def to_samples(data: bytes) -> Samples:
    """PCM16 bytes to samples [time]. Raises `BadSpeechError`."""
    if len(data) % _SAMPLE_BYTES:
        raise BadSpeechError(
            f"{len(data)} bytes: expected an even number, 16-bit samples have two each"
        )
    return np.asarray(np.frombuffer(data, "<i2") / np.float32(_FULL_SCALE), np.float32)


async def feed_speech(websocket: WebSocket, session: Session) -> None:
    """Queue what comes in until either side ends; an accepted socket is closed on return."""
    ended = asyncio.create_task(session.ended.wait())
    feeding = asyncio.create_task(_feed(websocket, session))
    try:
        await asyncio.wait([ended, feeding], return_when=asyncio.FIRST_COMPLETED)
        if feeding.done():
            feeding.result()
        else:
            await websocket.close(CLOSE_GOING_AWAY, "the session ended")
    except WebSocketDisconnect:
        return
    except BadSpeechError as error:
        await websocket.send_text(
            json.dumps({"error": {"code": "bad_speech", "message": str(error)}})
        )
        await websocket.close(CLOSE_BAD_DATA, "bad speech")
    finally:
        for task in (ended, feeding):
            task.cancel()
        await asyncio.gather(ended, feeding, return_exceptions=True)


async def _feed(websocket: WebSocket, session: Session) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            session.speech.finish()
            return
        if message.get("bytes") is not None:
            await _queue(session, to_samples(message["bytes"]))
        else:
            _obey(session, message.get("text") or "")


async def _queue(session: Session, samples: Samples) -> None:
    """Queue all samples; while there is no room, nothing more is read from the socket."""
    while len(samples):
        room = session.speech.room_samples
        if room:
            session.speech.put(samples[:room])
            samples = samples[room:]
        else:
            await asyncio.sleep(_LOOK_FOR_ROOM_EVERY_S)


def _obey(session: Session, text: str) -> None:
    try:
        kind = json.loads(text)["type"]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise BadSpeechError(f"not a message: {text[:80]!r}") from error
    if kind != "flush":
        raise BadSpeechError(f"message type {str(kind)[:40]!r}: expected 'flush'")
    session.speech.finish()
