"""HTTP of how a portrait acts; the data channel offers the same."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel, ValidationError

from engine.direction import LIMITS, MAX_STRENGTH
from engine.repertoire import repertoire
from streamer.access import Serving
from streamer.bodies import read_body, require_media_type
from streamer.direction_changes import DirectionChanges, GestureWish, complaint
from streamer.errors import RefusedError
from streamer.protocol import Direct, Gesture

M = TypeVar("M", bound=BaseModel)
JSON = "application/json"
MAX_WISH_BYTES = 4096
router = APIRouter(prefix="/v1", tags=["direction"])


def _body(model: type[BaseModel]) -> dict[str, Any]:
    """The request body of the API's description."""
    content = {
        JSON: {"schema": model.model_json_schema(ref_template="#/components/schemas/{model}")}
    }
    return {"requestBody": {"required": True, "content": content}}


@router.get("/directions", summary="What a portrait can be asked for")
async def list_directions() -> dict[str, Any]:
    """Names of emotions and gestures, and the limits of numbers."""
    known = repertoire()
    gestures = [
        {"name": name, "length_s": round(gesture.length_s, 3)}
        for name, gesture in known.gestures.items()
    ]
    limits = {"pose": LIMITS, "strength": (0.0, MAX_STRENGTH)}
    return {"emotions": list(known.emotions), "gestures": gestures, "limits": limits}


@router.get("/sessions/{session_id}/direction", summary="How a portrait acts")
async def show_direction(session_id: str, service: Serving) -> dict[str, Any]:
    """The whole direction."""
    return {"direction": asdict(service.sessions.get(session_id).director.direction), "notes": []}


@router.patch(
    "/sessions/{session_id}/direction",
    summary="Change how a portrait acts",
    openapi_extra=_body(DirectionChanges),
)
async def change_direction(session_id: str, request: Request, service: Serving) -> dict[str, Any]:
    """Change what is named, leave the rest; a note says what was limited."""
    director = service.sessions.get(session_id).director
    done = await director.direct(Direct(await _read(request, DirectionChanges)))
    return {"direction": done.direction, "notes": done.notes}


@router.post(
    "/sessions/{session_id}/gestures",
    status_code=HTTPStatus.ACCEPTED,
    summary="Let a portrait make a gesture",
    openapi_extra=_body(GestureWish),
)
async def make_gesture(session_id: str, request: Request, service: Serving) -> dict[str, str]:
    """It begins with the next frame, in place of one that is still going on."""
    director = service.sessions.get(session_id).director
    wish = await _read(request, GestureWish)
    return {"name": (await director.gesture(Gesture(wish.name))).name}


async def _read(request: Request, model: type[M]) -> M:
    require_media_type(request, JSON)
    try:
        return model.model_validate_json(await read_body(request, MAX_WISH_BYTES))
    except ValidationError as error:
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", complaint(error, model)
        ) from error
