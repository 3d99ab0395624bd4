from dataclasses import replace

import httpx
import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

from streamer.app import build_app
from streamer.service import Service, ServiceSettings
from streamer.web_settings import WebSettings
from tests.streamer.refusals import assert_error

FRIEND, FOE, OURS = "https://friend.example", "https://foe.example", "http://test"
PREFLIGHT = {"access-control-request-method": "POST"}


@pytest.fixture
def settings(settings: ServiceSettings) -> ServiceSettings:
    return replace(settings, web=WebSettings(cors_origins=(FRIEND,)))


def shared(answer: httpx.Response) -> bool:
    return "access-control-allow-origin" in answer.headers


async def test_a_friend_may_read_and_write(http: httpx.AsyncClient) -> None:
    asked = await http.options("/v1/whip", headers={"origin": FRIEND, **PREFLIGHT})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == FRIEND
    assert "PATCH" in asked.headers["access-control-allow-methods"]
    assert "Authorization" in asked.headers["access-control-allow-headers"]
    posted = await http.post("/v1/sessions", headers={"origin": FRIEND})
    assert posted.status_code == 415
    assert posted.headers["access-control-allow-origin"] == FRIEND
    assert "Origin" in posted.headers["vary"]
    assert {"Location", "ETag", "Link"} <= set(
        posted.headers["access-control-expose-headers"].split(", ")
    )


async def test_a_foe_may_neither(http: httpx.AsyncClient) -> None:
    for method in ("POST", "DELETE", "PATCH"):
        answer = await http.request(method, "/v1/avatars", headers={"origin": FOE})
        assert "foe.example" in assert_error(answer, 403, "foreign_origin")
        assert not shared(answer)
    for origin in (FOE, "null", "http://test.foe.example", "//", "http://["):
        assert_error(
            await http.post("/v1/avatars", headers={"origin": origin}), 403, "foreign_origin"
        )
    assert not shared(await http.get("/v1/avatars", headers={"origin": FOE}))
    assert not shared(await http.options("/v1/whip", headers={"origin": FOE, **PREFLIGHT}))


async def test_our_own_page_and_programs_need_nothing(http: httpx.AsyncClient) -> None:
    for headers in ({}, {"origin": OURS}):
        answer = await http.post("/v1/sessions", headers=headers)
        assert answer.status_code == 415
        assert not shared(answer)


async def test_a_proxy_names_the_host_that_pages_see(
    http: httpx.AsyncClient, service: Service, settings: ServiceSettings
) -> None:
    headers = {"origin": FOE, "x-forwarded-host": "foe.example"}
    assert (await http.post("/v1/sessions", headers=headers)).status_code == 403
    service.settings = replace(settings, web=WebSettings(trust_proxy=True))
    transport = httpx.ASGITransport(build_app(service, settings.data_folder))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as behind:
        assert (await behind.post("/v1/sessions", headers=headers)).status_code == 415


async def test_websockets_of_a_foe_are_refused(service: Service, settings: ServiceSettings) -> None:
    client = TestClient(build_app(service, settings.data_folder))
    path = "/v1/sessions/nobody/audio"
    for origin, status in ((FOE, 403), (FRIEND, 404), ("http://testserver", 404)):
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            client.websocket_connect(path, headers={"origin": origin}),
        ):
            pass
        assert refused.value.status_code == status


@pytest.mark.parametrize(
    "origin", ["friend.example", "https://friend.example/", "", "https://a b/"]
)
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(ValueError, match="expected https"):
        WebSettings(cors_origins=(origin,))


def test_a_star_is_everybody() -> None:
    assert WebSettings(cors_origins=("*",)).allows_origin(FOE)
    assert not WebSettings().allows_origin(FOE)


async def test_pages_are_told_what_to_forbid(http: httpx.AsyncClient) -> None:
    page = (await http.get("/")).headers
    assert page["x-content-type-options"] == "nosniff"
    assert page["referrer-policy"] == "no-referrer"
    assert "microphone=(self)" in page["permissions-policy"]
    assert "default-src 'self'" in page["content-security-policy"]
    for path in ("/", "/docs", "/v1/config", "/nothing"):
        assert "frame-ancestors 'none'" in (await http.get(path)).headers["content-security-policy"]
    data = (await http.get("/v1/config")).headers
    assert data["content-security-policy"].startswith("default-src 'none'")
    assert data["cache-control"] == "no-store"
    assert (await http.get("/")).headers["cache-control"] == "no-cache"
