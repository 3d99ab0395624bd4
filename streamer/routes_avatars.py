"""HTTP of avatars."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData, UploadFile

from streamer.access import Serving
from streamer.avatars import MAX_NAME_CHARACTERS, Entry
from streamer.bodies import read_form, require_media_type
from streamer.errors import RefusedError

MAX_PICTURE_BYTES = 20 * 1024 * 1024
_FORM_OVERHEAD_BYTES = 16 * 1024
_UPLOAD_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["picture", "name", "consent"],
                "properties": {
                    "picture": {"type": "string", "format": "binary"},
                    "name": {"type": "string", "maxLength": MAX_NAME_CHARACTERS},
                    "consent": {"type": "string", "enum": ["true"]},
                },
            }
        }
    },
}
router = APIRouter(prefix="/v1/avatars", tags=["avatars"])


@router.get("", summary="All avatars")
async def list_avatars(service: Serving) -> dict[str, Any]:
    """Those that are prepared, the default one by name."""
    avatars = service.avatars
    return {
        "default": avatars.default_id,
        "avatars": [entry.describe() for entry in avatars.entries],
    }


@router.get(
    "/{avatar_id}/picture",
    summary="An avatar at rest",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
async def show_avatar(avatar_id: str, service: Serving) -> Response:
    """As JPEG."""
    return Response(service.avatars.get(avatar_id).jpeg, media_type="image/jpeg")


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    summary="Upload a portrait",
    openapi_extra={"requestBody": _UPLOAD_BODY},
)
async def upload_avatar(
    request: Request, response: Response, service: Serving
) -> dict[str, str | int | bool]:
    """Prepare a picture of a person who consents to be animated; the consent is recorded."""
    require_media_type(request, "multipart/form-data")
    form = await read_form(request, MAX_PICTURE_BYTES + _FORM_OVERHEAD_BYTES)
    try:
        entry = await _add(form, service)
    finally:
        await form.close()
    response.headers["Location"] = f"/v1/avatars/{entry.avatar.avatar_id}"
    return entry.describe()


@router.delete("/{avatar_id}", status_code=HTTPStatus.NO_CONTENT, summary="Delete an avatar")
async def delete_avatar(avatar_id: str, service: Serving) -> None:
    """Forget an uploaded portrait; sessions that run with it go on."""
    await service.avatars.delete(avatar_id)


async def _add(form: FormData, service: Serving) -> Entry:
    if form.get("consent") != "true":
        raise RefusedError(
            HTTPStatus.BAD_REQUEST,
            "no_consent",
            "consent: expected 'true', the consent of the person in the picture",
        )
    picture = form.get("picture")
    if not isinstance(picture, UploadFile):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "no_picture", "picture: expected a file")
    if (picture.size or 0) > MAX_PICTURE_BYTES:
        raise RefusedError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too_large",
            f"picture of {picture.size} bytes: expected at most {MAX_PICTURE_BYTES}",
        )
    return await service.avatars.add_upload(_name(form), await picture.read())


def _name(form: FormData) -> str:
    given = form.get("name")
    name = " ".join(given.split()) if isinstance(given, str) else ""
    if not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        raise RefusedError(
            HTTPStatus.BAD_REQUEST,
            "bad_name",
            f"name {name[:20]!r}: expected 1 to {MAX_NAME_CHARACTERS} printable characters",
        )
    return name
