"""Who is let in, told by status codes alone."""

import logging
from dataclasses import replace
from hashlib import sha256

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.testclient import TestClient, WebSocketDenialResponse

from streamer.app import build_app
from streamer.guard import role_for
from streamer.redaction import Redacting
from streamer.service import Service, ServiceSettings
from streamer.tokens import Role, Tokens
from streamer.web_settings import WebSettings
from tests.streamer.refusals import assert_error

NAMES = {role: f"{role.name.lower()}-with-many-characters" for role in Role}
TOKENS = Tokens({sha256(name.encode()).hexdigest(): role for role, name in NAMES.items()})


def bearing(role: Role) -> dict[str, str]:
    return {"authorization": f"Bearer {NAMES[role]}"}


@pytest.fixture
def settings(settings: ServiceSettings) -> ServiceSettings:
    return replace(settings, web=WebSettings(tokens=TOKENS))


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/", None),
        ("GET", "/app.js", None),
        ("GET", "/healthz", None),
        ("GET", "/readyz", None),
        ("GET", "/docs", None),
        ("GET", "/v1/config", None),
        ("OPTIONS", "/v1/whip", None),
        ("GET", "/v1/avatars", Role.WATCH),
        ("GET", "/v1/avatars/x/picture", Role.WATCH),
        ("GET", "/v1/ice-servers", Role.WATCH),
        ("POST", "/v1/whep", Role.WATCH),
        ("PATCH", "/v1/whep/x", Role.WATCH),
        ("POST", "/v1/sessions", Role.SPEAK),
        ("GET", "/v1/sessions/x/audio", Role.SPEAK),
        ("GET", "/v1/stream", Role.SPEAK),
        ("DELETE", "/v1/whip/x", Role.SPEAK),
        ("POST", "/v1/avatars", Role.SPEAK),
        ("DELETE", "/v1/avatars/x", Role.ADMIN),
        ("GET", "/metrics", Role.ADMIN),
        ("GET", "/v1/what-comes-next", Role.ADMIN),
        ("POST", "/v1/whepping", Role.ADMIN),
        ("GET", "/v1/config/../avatars", Role.ADMIN),
        ("GET", "/v1/\nconfig", Role.ADMIN),
    ],
)
def test_each_call_has_its_role(method: str, path: str, role: Role | None) -> None:
    assert role_for(method, path) is role


async def test_a_stranger_is_asked_for_a_token(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/avatars")
    assert_error(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == 'Bearer realm="vexpress-live"'
    wrong = await http.get("/v1/avatars", headers={"authorization": "Bearer nobody"})
    assert_error(wrong, 401, "unauthorized")
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
    assert "nobody" not in wrong.text.replace("that nobody has", "")
    in_query = await http.get(f"/v1/avatars?token={NAMES[Role.ADMIN]}")
    assert_error(in_query, 401, "unauthorized")
    assert (await http.get("/v1/config")).json()["needs_token"]


async def test_a_role_opens_its_doors_and_no_more(http: httpx.AsyncClient) -> None:
    assert (await http.get("/v1/avatars", headers=bearing(Role.WATCH))).status_code == 200
    denied = await http.delete("/v1/avatars/x", headers=bearing(Role.SPEAK))
    assert "expected admin" in assert_error(denied, 403, "wrong_role")
    assert 'scope="admin"' in denied.headers["www-authenticate"]
    gone = await http.delete("/v1/avatars/x", headers=bearing(Role.ADMIN))
    assert_error(gone, 404, "unknown_avatar")
    assert (await http.get("/metrics", headers=bearing(Role.ADMIN))).status_code == 200


@pytest.mark.parametrize(
    ("where", "status", "role"),
    [
        ("nowhere", 401, Role.SPEAK),
        ("query", 403, Role.WATCH),
        ("query", 404, Role.SPEAK),
        ("header", 404, Role.SPEAK),
    ],
)
async def test_websockets_are_guarded_too(
    service: Service, settings: ServiceSettings, where: str, status: int, role: Role
) -> None:
    client = TestClient(build_app(service, settings.data_folder))
    query = f"?token={NAMES[role]}" if where == "query" else ""
    headers = bearing(role) if where == "header" else {}
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect(f"/v1/sessions/nobody/audio{query}", headers=headers),
    ):
        pass
    assert refused.value.status_code == status


def test_a_token_in_an_address_is_not_written_down(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("test of redaction")
    logger.addFilter(Redacting())
    with caplog.at_level(logging.INFO, logger.name):
        logger.info('WebSocket %s "%s"', "/v1/x?a=1&token=hush&b=2", "token=kept")
    assert caplog.messages == ['WebSocket /v1/x?a=1&token=...&b=2 "token=kept"']


@given(header=st.binary(max_size=80) | st.text(max_size=20).map(lambda t: b"Bearer " + t.encode()))
@hypothesis_settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_any_authorization_is_refused_with_words(
    http: httpx.AsyncClient, header: bytes
) -> None:
    clean = header.replace(b"\n", b"").replace(b"\r", b"").replace(b"\0", b"")
    answer = await http.get("/v1/avatars", headers=[(b"authorization", clean)])
    assert_error(answer, 401, "unauthorized")
