"""HTTP of avatars."""

import json
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData, UploadFile

from engine.avatar_look import SHOWN_PICTURE, Look
from engine.avatar_store import MAX_NAME_CHARACTERS, Change, Draft, clean_consent, clean_name
from streamer.access import Serving
from streamer.avatar_entry import Entry
from streamer.bodies import media_type, read_body, read_form, require_media_type
from streamer.errors import RefusedError

MAX_PICTURE_BYTES = 20 * 1024 * 1024
_FORM_OVERHEAD_BYTES = 16 * 1024
_MAX_CHANGE_BYTES = 4096
_TRAITS = ("framing", "background", "size")
_CHANGES = {
    "name": {"type": "string", "maxLength": MAX_NAME_CHARACTERS},
    "framing": {"type": "string", "enum": ["crop", "full", "default"]},
    "background": {"type": "string", "description": "keep, blur, chroma, #rrggbb, default"},
    "size": {"type": "string", "description": "as 512 or 1280x720, or default"},
}
_CHANGE_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": {"type": "object", "properties": _CHANGES}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    **_CHANGES,
                    "background_picture": {"type": "string", "format": "binary"},
                },
            }
        },
    },
}
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
                    "consent_by": {"type": "string"},
                    "framing": {"type": "string", "enum": ["crop", "full"]},
                    "background": {"type": "string", "description": "keep, blur, chroma, #rrggbb"},
                    "background_picture": {"type": "string", "format": "binary"},
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
    await avatars.look_again()
    return {
        "default": avatars.default_id,
        "avatars": [entry.describe() for entry in avatars.entries],
    }


@router.get("/{avatar_id}", summary="One avatar")
async def describe_avatar(avatar_id: str, service: Serving) -> dict[str, Any]:
    """By id or name, with its framing, its background and the record of consent."""
    await service.avatars.look_again()
    return service.avatars.get(avatar_id).describe_whole()


@router.patch(
    "/{avatar_id}", summary="Change an avatar", openapi_extra={"requestBody": _CHANGE_BODY}
)
async def change_avatar(avatar_id: str, request: Request, service: Serving) -> dict[str, Any]:
    """Give an uploaded avatar another name or look; its record of consent stays.

    `default` leaves a trait to the server. Another look has another id; sessions that run go on
    as they are.
    """
    if media_type(request) == "multipart/form-data":
        form = await read_form(request, MAX_PICTURE_BYTES + _FORM_OVERHEAD_BYTES)
        try:
            wishes = {key: value for key in ("name", *_TRAITS) if (value := _text(form, key))}
            change = _change(wishes, await _file(form, "background_picture"))
        finally:
            await form.close()
    else:
        require_media_type(request, "application/json")
        change = _change(_wishes(await read_body(request, _MAX_CHANGE_BYTES)), None)
    await service.avatars.look_again()
    return (await service.avatars.change(avatar_id, change)).describe_whole()


@router.get(
    "/{avatar_id}/picture",
    summary="An avatar at rest",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
async def show_avatar(avatar_id: str, service: Serving) -> Response:
    """As JPEG."""
    entry = await service.avatars.find(avatar_id)
    return Response(entry.jpeg, media_type="image/jpeg")


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
    form = await read_form(request, 2 * MAX_PICTURE_BYTES + _FORM_OVERHEAD_BYTES, max_files=2)
    try:
        entry = await _add(form, service)
    finally:
        await form.close()
    response.headers["Location"] = f"/v1/avatars/{entry.avatar.avatar_id}"
    return entry.describe()


@router.delete("/{avatar_id}", status_code=HTTPStatus.NO_CONTENT, summary="Delete an avatar")
async def delete_avatar(avatar_id: str, service: Serving) -> None:
    """Forget an uploaded portrait; sessions that run with it go on."""
    await service.avatars.look_again()
    await service.avatars.delete(avatar_id)


async def _add(form: FormData, service: Serving) -> Entry:
    if form.get("consent") != "true":
        raise RefusedError(
            HTTPStatus.BAD_REQUEST,
            "no_consent",
            "consent: expected 'true', the consent of the person in the picture",
        )
    picture = await _file(form, "picture")
    if picture is None:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "no_picture", "picture: expected a file")
    shown = await _file(form, "background_picture")
    background = SHOWN_PICTURE if shown is not None else _text(form, "background")
    agreed_by = _text(form, "consent_by")
    draft = Draft(
        name=clean_name(_text(form, "name") or ""),
        picture=picture,
        look=Look(framing=_text(form, "framing"), background=background),
        shown=shown,
        agreed_by=None if agreed_by is None else clean_consent(agreed_by),
    )
    return await service.avatars.add_upload(draft)


async def _file(form: FormData, field: str) -> bytes | None:
    """What a file field holds; None where the form has none."""
    file = form.get(field)
    if not isinstance(file, UploadFile):
        return None
    if (file.size or 0) > MAX_PICTURE_BYTES:
        raise RefusedError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too_large",
            f"{field} of {file.size} bytes: expected at most {MAX_PICTURE_BYTES}",
        )
    return await file.read()


def _text(form: FormData, field: str) -> str | None:
    """What a text field holds; None where it is left out or empty."""
    given = form.get(field)
    return given if isinstance(given, str) and given.strip() else None


def _wishes(body: bytes) -> dict[str, str]:
    """What a JSON body names."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not given.keys() <= {"name", *_TRAITS}:
        raise _bad_change()
    if not all(isinstance(value, str) for value in given.values()):
        raise _bad_change()
    return given


def _change(wishes: dict[str, str], shown: bytes | None) -> Change:
    name = wishes.get("name")
    if not wishes and shown is None:
        raise _bad_change()
    traits = {key: wishes.get(key) for key in _TRAITS}
    if shown is not None:
        traits["background"] = SHOWN_PICTURE
    return Change(name=None if name is None else clean_name(name), look=Look(**traits), shown=shown)


def _bad_change() -> RefusedError:
    return RefusedError(
        HTTPStatus.BAD_REQUEST,
        "bad_change",
        f"expected texts for one or more of: name, {', '.join(_TRAITS)}",
    )
