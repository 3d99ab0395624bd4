"""The HTTP grammar of RFC 9725, without media."""

from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from streamer import connection
from streamer.ice import IceSettings
from streamer.peer import Peer
from streamer.preconditions import ice_tag
from streamer.service import Service, ServiceSettings
from tests.streamer.refusals import assert_error, offer_with
from tests.streamer.visitor import SDP_HEADERS

FRAGMENT = {"content-type": "application/trickle-ice-sdpfrag"}
STUN, TURN = "stun:stun.example:3478", "turn:relay.example:3478"


def fragment(offer: str, port: int = 50_000, username: str = "") -> str:
    """A candidate for the first section of an offer."""
    found = next(line for line in offer.splitlines() if line.startswith("a=ice-ufrag:"))
    named = f"a=ice-ufrag:{username}" if username else found
    candidate = f"a=candidate:1 1 udp 2130706431 192.0.2.7 {port} typ host"
    return "\r\n".join([named, "m=audio 9 RTP/AVP 0", "a=mid:0", candidate, ""])


async def opened(http: httpx.AsyncClient) -> tuple[str, httpx.Response]:
    offer = await offer_with("audio", "video")
    answer = await http.post("/v1/sessions", content=offer, headers=SDP_HEADERS)
    assert answer.status_code == 201, answer.text
    return offer, answer


async def test_the_answer_names_the_session_and_its_tag(http: httpx.AsyncClient) -> None:
    _, answer = await opened(http)
    location = answer.headers["location"]
    assert location.startswith("/v1/sessions/")
    assert answer.headers["etag"] == ice_tag(location.rsplit("/", 1)[-1])
    assert answer.headers["accept-patch"] == FRAGMENT["content-type"]
    assert "link" not in answer.headers
    assert (await http.delete(location)).status_code == 204


@pytest.fixture
def settings(settings: ServiceSettings, request: pytest.FixtureRequest) -> ServiceSettings:
    """Those of all tests, with what a test asks for by the marker's argument."""
    return replace(settings, ice=getattr(request, "param", IceSettings()))


@pytest.mark.parametrize("settings", [IceSettings(stun=(STUN,))], indirect=True)
async def test_the_answer_links_to_the_servers(http: httpx.AsyncClient) -> None:
    _, answer = await opened(http)
    assert answer.headers.get_list("link") == [f'<{STUN}>; rel="ice-server"']
    told = (await http.get("/v1/ice-servers")).json()
    assert told == {"ice_servers": [{"urls": STUN}], "ice_transport_policy": "all"}


RELAY = IceSettings(turn=(TURN,), turn_secret="north", relay_only=True)


@pytest.mark.parametrize("settings", [RELAY], indirect=True)
async def test_a_server_without_its_relay_says_so(http: httpx.AsyncClient, app: FastAPI) -> None:
    told = (await http.get("/v1/ice-servers")).json()
    assert told["ice_transport_policy"] == "relay"
    (server,) = told["ice_servers"]
    assert server["urls"] == TURN
    assert "north" not in str(told)
    offer = await offer_with("audio", "video")
    answer = await http.post("/v1/sessions", content=offer, headers=SDP_HEADERS)
    assert_error(answer, 503, "no_udp_port")
    assert int(answer.headers["retry-after"]) > 0


async def test_candidates_trickle_in(http: httpx.AsyncClient, service: Service) -> None:
    offer, answer = await opened(http)
    location, guard = answer.headers["location"], {"if-match": answer.headers["etag"]}
    patched = await http.patch(location, content=fragment(offer), headers={**FRAGMENT, **guard})
    assert patched.status_code == 204, patched.text
    assert patched.content == b""
    session = service.sessions.get(location.rsplit("/", 1)[-1])
    peer = session._lines.current
    assert isinstance(peer, Peer)
    (audio, _) = peer._connection.getTransceivers()
    ice = audio.receiver.transport.transport
    assert [each.ip for each in ice.getRemoteCandidates()] == ["192.0.2.7"]


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 415, "wrong_content_type"),
        (SDP_HEADERS, 415, "wrong_content_type"),
        (FRAGMENT, 428, "if_match_required"),
        ({**FRAGMENT, "if-match": '"other"'}, 412, "stale"),
        ({**FRAGMENT, "if-match": "nonsense"}, 412, "stale"),
        ({**FRAGMENT, "if-match": "W/{tag}"}, 412, "stale"),
    ],
)
async def test_unguarded_and_stale_changes(
    http: httpx.AsyncClient, headers: dict[str, str], status: int, code: str
) -> None:
    offer, answer = await opened(http)
    sent = {name: value.format(tag=answer.headers["etag"]) for name, value in headers.items()}
    patched = await http.patch(
        answer.headers["location"], content=fragment(offer), headers={"content-type": "", **sent}
    )
    assert_error(patched, status, code)


async def test_changes_that_are_not_possible(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer, answer = await opened(http)
    location = answer.headers["location"]
    headers = {**FRAGMENT, "if-match": "*"}
    restart = await http.patch(location, content=fragment(offer, username="Other"), headers=headers)
    assert "ICE restart" in assert_error(restart, 422, "no_ice_restart")
    broken = await http.patch(location, content="nonsense", headers=headers)
    assert_error(broken, 400, "bad_fragment")
    binary = await http.patch(location, content=b"\xff", headers=headers)
    assert_error(binary, 400, "bad_fragment")
    long = await http.patch(location, content=b"a" * 20_000, headers=headers)
    assert_error(long, 413, "too_large")
    monkeypatch.setattr(connection, "MAX_CANDIDATES", 0)
    many = await http.patch(location, content=fragment(offer), headers=headers)
    assert_error(many, 400, "too_many_candidates")
    unknown = await http.patch("/v1/sessions/nobody", content="", headers=headers)
    assert_error(unknown, 404, "unknown_session")


@pytest.mark.parametrize(
    ("accept", "is_fine"),
    [
        ("*/*", True),
        ("application/*", True),
        ("text/html, application/sdp;q=0.5", True),
        ("text/html", False),
        ("application/sdp;q=0", False),
        ("application/sdp; q=0.00, text/html", False),
    ],
)
async def test_answers_nobody_could_read(
    http: httpx.AsyncClient, accept: str, is_fine: bool
) -> None:
    headers = {**SDP_HEADERS, "accept": accept}
    answer = await http.post("/v1/sessions", content="v=0", headers=headers)
    assert_error(answer, *((400, "bad_offer") if is_fine else (406, "not_acceptable")))


async def test_what_may_be_posted_is_told(http: httpx.AsyncClient) -> None:
    told = await http.options("/v1/sessions")
    assert told.status_code == 204
    assert told.headers["accept-post"] == "application/sdp"
    assert "POST" in told.headers["allow"]
    assert_error(await http.put("/v1/sessions"), 405, "method_not_allowed")
