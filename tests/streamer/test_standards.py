"""WHIP and WHEP over real UDP, and their refusals without."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from streamer.service import Service
from tests.streamer.refusals import assert_error, offer_with
from tests.streamer.visitor import SDP_HEADERS, Microphone, Visitor, visit

CHANNEL = "a=sendrecv"


async def one_way(direction: str, *kinds: str) -> str:
    """An offer of sections that all go one way."""
    offer = await offer_with(*kinds, channel=False)
    return offer.replace(CHANNEL, f"a={direction}")


@pytest.mark.parametrize(
    ("path", "direction", "kinds", "words"),
    [
        ("whip", "sendonly", ("video",), "expected one audio"),
        ("whip", "sendonly", ("audio", "audio"), "expected one audio"),
        ("whip", "recvonly", ("audio",), "expected sendonly"),
        ("whip", "inactive", ("audio",), "expected sendonly"),
        ("whep", "recvonly", ("audio", "audio"), "expected one audio"),
        ("whep", "sendonly", ("audio", "video"), "expected recvonly"),
    ],
)
async def test_offers_of_the_wrong_shape(
    http: httpx.AsyncClient,
    service: Service,
    path: str,
    direction: str,
    kinds: tuple[str, ...],
    words: str,
) -> None:
    published = await http.post(
        "/v1/whip", content=await one_way("sendonly", "audio"), headers=SDP_HEADERS
    )
    session = service.sessions.get(published.headers["location"].rsplit("/", 1)[-1])
    session.peer_connected()
    offer = await one_way(direction, *kinds)
    answer = await http.post(f"/v1/{path}", content=offer, headers=SDP_HEADERS)
    assert words in assert_error(answer, 400, "bad_offer")


@pytest.mark.parametrize(("path", "direction"), [("whip", "sendonly"), ("whep", "recvonly")])
async def test_no_data_channel(http: httpx.AsyncClient, path: str, direction: str) -> None:
    offer = (await offer_with("audio")).replace(CHANNEL, f"a={direction}")
    if path == "whep":
        await publish_by(http)
    answer = await http.post(f"/v1/{path}", content=offer, headers=SDP_HEADERS)
    if path == "whip":
        assert "no data channel" in assert_error(answer, 400, "bad_offer")
    else:
        assert_error(answer, 409, "nothing_to_watch")  # it is not connected


async def publish_by(http: httpx.AsyncClient) -> httpx.Response:
    offer = await one_way("sendonly", "audio", "video")
    return await http.post("/v1/whip", content=offer, headers=SDP_HEADERS)


async def test_directions_are_those_of_the_standards(
    http: httpx.AsyncClient, service: Service
) -> None:
    published = await publish_by(http)
    assert published.status_code == 201
    directions = [
        line for line in published.text.splitlines() if line.endswith(("only", "inactive"))
    ]
    assert directions == ["a=recvonly", "a=inactive"]
    location = published.headers["location"]
    assert location.startswith("/v1/whip/")
    session_id = location.rsplit("/", 1)[-1]
    service.sessions.get(session_id).peer_connected()
    offer = await one_way("recvonly", "audio", "video")
    for query in ("", f"?session={session_id}"):
        watching = await http.post(f"/v1/whep{query}", content=offer, headers=SDP_HEADERS)
        assert watching.status_code == 201
        assert watching.text.count("a=sendonly") == 2
        viewer = watching.headers["location"]
        assert viewer.startswith("/v1/whep/")
        stale = {"content-type": "application/trickle-ice-sdpfrag", "if-match": '"x"'}
        assert_error(await http.patch(viewer, content="", headers=stale), 412, "stale")
        assert (await http.delete(viewer)).status_code == 200
        assert_error(await http.delete(viewer), 404, "unknown_session")
    assert (await http.delete(location)).status_code == 200
    assert_error(await http.delete(location), 404, "unknown_session")


async def test_nothing_to_watch(http: httpx.AsyncClient, service: Service) -> None:
    offer = await one_way("recvonly", "audio", "video")
    none = await http.post("/v1/whep", content=offer, headers=SDP_HEADERS)
    assert_error(none, 409, "nothing_to_watch")
    assert int(none.headers["retry-after"]) > 0
    unknown = await http.post("/v1/whep?session=nobody", content=offer, headers=SDP_HEADERS)
    assert_error(unknown, 404, "unknown_session")
    call = await http.post(
        "/v1/sessions", content=await offer_with("audio", "video"), headers=SDP_HEADERS
    )
    service.sessions.get(call.headers["location"].rsplit("/", 1)[-1]).peer_connected()
    private = await http.post("/v1/whep", content=offer, headers=SDP_HEADERS)
    assert_error(private, 409, "nothing_to_watch")


async def test_a_full_audience(
    http: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.viewers.MAX_VIEWERS", 1)
    published = await publish_by(http)
    service.sessions.get(published.headers["location"].rsplit("/", 1)[-1]).peer_connected()
    offer = await one_way("recvonly", "video")
    answers = [await http.post("/v1/whep", content=offer, headers=SDP_HEADERS) for _ in range(2)]
    assert answers[0].status_code == 201
    assert_error(answers[1], 503, "audience_full")


@asynccontextmanager
async def viewer_of(url: str, session_id: str = "") -> AsyncIterator[Visitor]:
    """One who watches a session, or the newest one that is published."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for kind in ("audio", "video"):
        connection.addTransceiver(kind, direction="recvonly")
    async with httpx.AsyncClient(base_url=url) as http:
        visitor = Visitor(connection, None, http)  # type: ignore[arg-type]
        connection.on("track", visitor.listen_to)
        query = f"?session={session_id}" if session_id else ""
        await connect(connection, http, f"/v1/whep{query}")
        try:
            yield visitor
        finally:
            await visitor.leave()


async def connect(connection: RTCPeerConnection, http: httpx.AsyncClient, path: str) -> str:
    await connection.setLocalDescription(await connection.createOffer())
    answer = await http.post(path, content=connection.localDescription.sdp, headers=SDP_HEADERS)
    assert answer.status_code == 201, answer.text
    await connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
    return str(answer.headers["location"])


@pytest.mark.slow
async def test_who_speaks_by_whip_is_seen_by_all_who_watch(server: str) -> None:
    speaker = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    speaker.addTransceiver(Microphone(), "sendonly")
    async with httpx.AsyncClient(base_url=server) as http:
        location = await connect(speaker, http, "/v1/whip")
        while speaker.connectionState != "connected":  # noqa: ASYNC110  for brevity
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        async with viewer_of(server) as one, viewer_of(server) as two:
            for viewer in (one, two):
                await viewer.wait_for(lambda v=viewer: len(v.video) > 50)  # type: ignore[misc]
                assert max(each.strength for each in viewer.video) > 0.1, "the lips move"
                assert max(each.strength for each in viewer.audio) > 0.1, "and sound is heard"
            assert (await http.delete(location)).status_code == 200
            await one.wait_for(lambda: one.connection.connectionState in ("closed", "failed"))
    await speaker.close()


@pytest.mark.slow
async def test_who_speaks_and_three_who_watch_cost_one_encode_a_frame(server: str) -> None:
    async with visit(server) as speaker, AsyncExitStack() as owned:
        await speaker.connect()
        await speaker.wait_for(lambda: speaker.video)
        session_id = speaker.location.rsplit("/", 1)[-1]
        watching = [
            await owned.enter_async_context(viewer_of(server, session_id)) for _ in range(3)
        ]
        everyone = (speaker, *watching)
        await speaker.wait_for(lambda: all(each.video for each in everyone))
        encoded = await number_of(speaker, "vexpress_encoder_seconds_per_frame_count")
        seen = [len(each.video) for each in everyone]
        await speaker.wait_for(lambda: len(speaker.video) >= seen[0] + 40)
        encoded = await number_of(speaker, "vexpress_encoder_seconds_per_frame_count") - encoded
        # A busy machine loses pictures on their way; an encoder of one's own would make four.
        most = max(len(each.video) - n for each, n in zip(everyone, seen, strict=True))
        assert most - 8 <= encoded < 2 * most
        assert await number_of(speaker, "vexpress_video_bits_per_second") >= 400_000


async def number_of(visitor: Visitor, name: str) -> float:
    lines = (await visitor.http.get("/metrics")).text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))
