"""The websocket for programs, and for networks that let no UDP through."""

from fastapi import APIRouter, WebSocket

from streamer.access import Serving
from streamer.stream_socket import serve_stream

router = APIRouter(tags=["stream"])


@router.websocket("/v1/stream")
async def stream(websocket: WebSocket, service: Serving) -> None:
    """A hello, then PCM in; frames and sound out. See docs/protocol.md."""
    await serve_stream(websocket, service)
