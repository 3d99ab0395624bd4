"""Every row of the error table in docs/protocol.md, without a network."""

import io
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from engine.api import (
    AvatarError,
    BadPictureError,
    FaceTooSmallError,
    FaceTurnedError,
    SeveralFacesError,
)
from streamer.app import build_app
from streamer.errors import response_for
from streamer.service import EngineParts, Service, ServiceSettings
from tests.streamer.refusals import assert_error, offer_with

SDP = {"content-type": "application/sdp"}
CONSENT = {"name": "Ada", "consent": "true"}


def png(level: int = 100, side: int = 32) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), level, np.uint8)).save(file, "PNG")
    return file.getvalue()


def upload(data: bytes) -> dict[str, tuple[str, bytes, str]]:
    return {"picture": ("face.png", data, "image/png")}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/sessions/nobody", 404, "unknown_session"),
        ("DELETE", "/v1/sessions/nobody", 404, "unknown_session"),
        ("POST", "/v1/sessions/nobody/interrupt", 404, "unknown_session"),
        ("GET", "/v1/avatars/nobody/picture", 404, "unknown_avatar"),
        ("DELETE", "/v1/avatars/nobody", 404, "unknown_avatar"),
        ("DELETE", "/v1/avatars/fake010", 403, "built_in_avatar"),
        ("GET", "/no/such/page", 404, "not_found"),
        ("GET", "/v1/no/such/call", 404, "not_found"),
        ("POST", "/v1/no/such/call", 404, "not_found"),
        ("POST", "/nothing", 404, "not_found"),
        ("PUT", "/v1/avatars", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("GET", "/../pyproject.toml", 404, "not_found"),
        ("GET", "/%2e%2e/record.json", 404, "not_found"),
    ],
)
async def test_wrong_places(
    http: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    assert_error(await http.request(method, path), status, code)


@pytest.mark.parametrize(
    "offer",
    [
        b"",
        b"garbage",
        b"v=0\r\nm=audio x\r\n",
        b"\xff\xfe",
        b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
        b"v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"
        b"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
    ],
)
async def test_what_is_not_an_offer(http: httpx.AsyncClient, offer: bytes) -> None:
    answer = await http.post("/v1/sessions", content=offer, headers=SDP)
    assert_error(answer, 400, "bad_offer")


@pytest.mark.parametrize("kinds", [("audio",), ("video",), ("audio", "audio", "video")])
async def test_an_offer_without_the_three_sections(
    http: httpx.AsyncClient, kinds: tuple[str, ...]
) -> None:
    answer = await http.post("/v1/sessions", content=await offer_with(*kinds), headers=SDP)
    assert "expected one audio" in assert_error(answer, 400, "bad_offer")


@pytest.mark.parametrize(
    ("old", "new"), [("BUNDLE 0", "BUNDLE 9"), ("a=mid:1", "a=mid:0"), ("a=mid:0", "a=middle")]
)
async def test_an_offer_whose_sections_are_not_what_the_bundle_says(
    http: httpx.AsyncClient, old: str, new: str
) -> None:
    offer = await offer_with("audio", "video")
    assert old in offer
    answer = await http.post("/v1/sessions", content=offer.replace(old, new), headers=SDP)
    assert_error(answer, 400, "bad_offer")


async def test_an_offer_with_codecs_that_nobody_speaks(
    http: httpx.AsyncClient, service: Service
) -> None:
    offer = (await offer_with("audio", "video")).replace("opus", "speex")
    offer = re.sub("PCM[AU]|G722", "speex", offer)
    assert_error(await http.post("/v1/sessions", content=offer, headers=SDP), 400, "bad_offer")
    assert "vexpress_sessions 0.0" in service.metrics.text().decode()


async def test_refusals_before_a_session(http: httpx.AsyncClient, service: Service) -> None:
    post = http.post
    plain = {"content-type": "text/plain"}
    assert_error(
        await post("/v1/sessions", content="v=0", headers=plain), 415, "wrong_content_type"
    )
    assert_error(await post("/v1/sessions"), 415, "wrong_content_type")
    too_long = await post("/v1/sessions", content=b"v" * 65_537, headers=SDP)
    assert "65536" in assert_error(too_long, 413, "too_large")
    unknown = await post("/v1/sessions?avatar=nobody", content="v=0", headers=SDP)
    assert_error(unknown, 404, "unknown_avatar")
    service.ready = False
    not_ready = await post("/v1/sessions", content="v=0", headers=SDP)
    assert_error(not_ready, 503, "not_ready")
    assert int(not_ready.headers["retry-after"]) > 0
    assert_error(await http.get("/readyz"), 503, "not_ready")


async def test_a_body_that_hides_its_length_is_cut_off(http: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"v" * 10_000

    answer = await http.post("/v1/sessions", content=endless(), headers=SDP)
    assert_error(answer, 413, "too_large")


@pytest.mark.parametrize(
    ("fields", "picture", "status", "code"),
    [
        ({"name": "Ada"}, png(), 400, "no_consent"),
        ({"name": "Ada", "consent": "false"}, png(), 400, "no_consent"),
        (CONSENT, b"", 415, "not_a_picture"),
        (CONSENT, b"not a picture", 415, "not_a_picture"),
        (CONSENT, png()[:60], 415, "not_a_picture"),
        (CONSENT, png(level=0), 422, "no_face"),
        (CONSENT, b"x" * (20 * 2**20 + 1), 413, "too_large"),
        (CONSENT, b"x" * (21 * 2**20), 413, "too_large"),
        ({"name": " ", "consent": "true"}, png(), 400, "bad_name"),
        ({"name": "x" * 81, "consent": "true"}, png(), 400, "bad_name"),
    ],
)
async def test_uploads_that_are_refused(
    http: httpx.AsyncClient,
    settings: ServiceSettings,
    fields: dict[str, str],
    picture: bytes,
    status: int,
    code: str,
) -> None:
    answer = await http.post("/v1/avatars", data=fields, files=upload(picture))
    assert_error(answer, status, code)
    assert len((await http.get("/v1/avatars")).json()["avatars"]) == 2
    assert not list(settings.data_folder.glob("avatars/*"))


async def test_forms_that_are_no_uploads(http: httpx.AsyncClient) -> None:
    plain = await http.post("/v1/avatars", data=CONSENT)
    assert_error(plain, 415, "wrong_content_type")
    headers = {"content-type": "multipart/form-data"}
    broken = await http.post("/v1/avatars", content=b"x", headers=headers)
    assert_error(broken, 400, "bad_form")
    no_file = await http.post("/v1/avatars", data=CONSENT, files={"other": b""})
    assert_error(no_file, 400, "no_picture")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SeveralFacesError("two"), "several_faces"),
        (FaceTooSmallError("small"), "face_too_small"),
        (FaceTurnedError("turned"), "face_turned"),
        (BadPictureError("bad"), "bad_picture"),
    ],
)
def test_each_trouble_with_a_face_has_its_own_code(error: AvatarError, code: str) -> None:
    answer = response_for(error)
    assert answer.status_code == 422
    assert f'"code":"{code}"'.encode() in bytes(answer.body)


async def test_an_avatar_comes_and_goes(http: httpx.AsyncClient, settings: ServiceSettings) -> None:
    answer = await http.post("/v1/avatars", data=CONSENT, files=upload(png()))
    assert answer.status_code == 201
    entry = answer.json()
    assert answer.headers["location"] == f"/v1/avatars/{entry['id']}"
    assert entry == {
        "id": "fake100",
        "name": "Ada",
        "width": settings.portrait.size,
        "height": settings.portrait.size,
        "picture": "/v1/avatars/fake100/picture",
        "builtin": False,
        "framing": "crop",
        "background": "keep",
    }
    listed = (await http.get("/v1/avatars")).json()
    assert listed["default"] == "fake010"
    assert [each["id"] for each in listed["avatars"]] == ["fake010", "fake020", "fake100"]
    picture = await http.get(entry["picture"])
    assert picture.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(picture.content)).size == (entry["width"], entry["height"])
    assert (await http.delete("/v1/avatars/fake100")).status_code == 204
    assert_error(await http.get(entry["picture"]), 404, "unknown_avatar")


async def test_the_server_describes_itself(http: httpx.AsyncClient) -> None:
    config = (await http.get("/v1/config")).json()
    assert config == {
        "version": "0.1.0",
        "engine": "fake",
        "frame_rate_hz": 25,
        "size": 128,
        "badge": True,
        "max_sessions": 2,
        "needs_token": False,
    }
    assert (await http.get("/healthz")).status_code == 200
    assert (await http.get("/readyz")).status_code == 200
    assert "vexpress_mic_to_lips_seconds_bucket" in (await http.get("/metrics")).text


async def test_the_api_page_loads_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    page = (await http.get("/docs")).text
    assert "/openapi.json" in page
    assert not re.search(r"(src|href|from|import)\s*[=(]?\s*[\"'](https?:)?//", page)
    paths = (await http.get("/openapi.json")).json()["paths"]
    assert set(paths) >= {"/v1/sessions", "/v1/avatars", "/v1/config", "/healthz", "/metrics"}


async def test_the_web_client_is_served_as_it_is(http: httpx.AsyncClient) -> None:
    page = await http.get("/")
    assert page.text == "<title>hello</title>"
    assert page.headers["content-type"].startswith("text/html")
    assert (await http.head("/index.html")).status_code == 200


@pytest.mark.parametrize("path", ["package.json", "node_modules/secret.js", "call.test.js", ".env"])
async def test_what_lies_beside_the_page_is_not_served(
    http: httpx.AsyncClient, web_folder: Path, path: str
) -> None:
    (web_folder / path).parent.mkdir(exist_ok=True)
    (web_folder / path).write_text("beside")
    assert (await http.get(f"/{path}")).status_code == 404


async def test_request_ids_are_kept_or_made(http: httpx.AsyncClient) -> None:
    kept = await http.get("/healthz", headers={"X-Request-Id": "abc-1"})
    assert kept.headers["x-request-id"] == "abc-1"
    made = await http.get("/healthz", headers={"X-Request-Id": "a b\tc" * 50})
    assert re.fullmatch("[0-9a-f]{16}", made.headers["x-request-id"])


async def test_our_own_mistakes_are_reported_without_details(
    http: httpx.AsyncClient,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(service, "metrics", None)
    message = assert_error(await http.get("/metrics"), 500, "internal_error")
    assert "NoneType" not in message
    assert "NoneType" in caplog.text


async def test_the_service_runs_from_start_up_to_shut_down(
    settings: ServiceSettings, parts: EngineParts, web_folder: Path
) -> None:
    service = Service(settings, parts)
    app = build_app(service, web_folder)
    async with app.router.lifespan_context(app):
        assert service.running.is_set()
        await service.warm_up()
        answers = [service.ready]
    answers += [service.ready, service.studio.live.post("late", lambda: None)]
    assert answers == [True, False, False]
