"""A performance directed over real calls: data channel, HTTP, and a visitor's camera."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from engine.direction import LIMITS, Direction, Pose
from streamer.service import EngineParts, ServiceSettings
from tests.streamer.acting import OpenBook, StiffStream
from tests.streamer.conftest import running_server
from tests.streamer.refusals import assert_error
from tests.streamer.visitor import Camera, visit

pytestmark = pytest.mark.slow
YAW, ROLL = LIMITS["yaw"][1], LIMITS["roll"][1]


@pytest.fixture
def engine() -> OpenBook:
    return OpenBook()


@pytest.fixture
async def url(
    settings: ServiceSettings, parts: EngineParts, engine: OpenBook
) -> AsyncIterator[str]:
    async with running_server(settings, replace(parts, load=lambda: engine)) as url:
        yield url


async def test_the_data_channel_directs_and_what_cannot_be_is_refused(
    url: str, engine: OpenBook
) -> None:
    async with visit(url, microphone=False) as visitor:
        await visitor.connect()
        await visitor.wait_for(lambda: visitor.video)
        visitor.say(type="direct", direction={"pose": {"yaw": 40}, "emotion": "smile"})
        visitor.say(type="direct", direction={"brows": 1.5})
        visitor.say(type="gesture", name="nod")
        visitor.say(type="gesture", name="dance")
        visitor.say(type="direct", direction={"emotion": "fury"})
        visitor.say(type="direct", direction={"nose": 2})
        await visitor.wait_for(lambda: len(visitor.heard("refused")) == 3)
        first, second = visitor.heard("directed")
        assert first["notes"] == [f"yaw 40: limited to {YAW:g} ({-YAW:g} to {YAW:g})"]
        assert (second["direction"]["emotion"], second["direction"]["brows"]) == ("smile", 1.5)
        assert visitor.heard("gestured") == [{"type": "gestured", "name": "nod"}]
        refused = {message["code"]: message["message"] for message in visitor.heard("refused")}
        assert "expected one of: nod, shake" in refused["unknown_gesture"]
        assert "expected one of: neutral, smile" in refused["unknown_emotion"]
        assert "expected only pose, emotion" in refused["bad_message"]
        stream = engine.streams[-1]
        assert stream.direction == Direction(pose=Pose(yaw=YAW), emotion="smile", brows=1.5)
        assert stream.gestures == ["nod"]


async def test_http_directs_as_well(url: str, engine: OpenBook) -> None:
    async with visit(url, microphone=False) as visitor:
        await visitor.connect()
        await visitor.wait_for(lambda: visitor.video)
        http, place = visitor.http, visitor.location + "/direction"
        changed = await http.patch(place, json={"pose": {"roll": -40}, "strength": 0.5})
        assert changed.status_code == 200
        assert changed.json()["notes"] == [
            f"roll -40: limited to {-ROLL:g} ({-ROLL:g} to {ROLL:g})"
        ]
        kept = (await http.get(place)).json()
        assert kept == {"direction": changed.json()["direction"], "notes": []}
        made = await http.post(visitor.location + "/gestures", json={"name": "wink"})
        assert (made.status_code, made.json()) == (202, {"name": "wink"})
        await visitor.wait_for(lambda: visitor.heard("gestured"))
        (directed,) = visitor.heard("directed")
        assert directed["direction"] == kept["direction"], "the page is told as well"
        assert engine.streams[-1].gestures == ["wink"]
        (await http.post(visitor.location + "/interrupt")).raise_for_status()
        assert engine.streams[-1].direction.strength == 0.5
        answer = await http.post(visitor.location + "/gestures", json={"name": "dance"})
        assert "expected one of" in assert_error(answer, 422, "unknown_gesture")
        answer = await http.patch(place, json={"emotion": "fury"})
        assert "expected one of" in assert_error(answer, 422, "unknown_emotion")
        answer = await http.patch(place, json={"pose": {"yaw": "left"}})
        assert "pose.yaw 'left'" in assert_error(answer, 422, "invalid_request")
        assert_error(await http.patch(place, content=b"{"), 415, "wrong_content_type")


async def test_a_face_before_the_camera_drives_and_one_that_leaves_lets_go(
    url: str, engine: OpenBook
) -> None:
    camera = Camera(level=None)
    async with visit(url, microphone=False, camera=camera) as visitor:
        await visitor.connect()
        await visitor.wait_for(lambda: visitor.video)
        described = (await visitor.http.get(visitor.location)).json()
        assert described["camera"] == "off"
        camera.level = 178  # to the fake watcher, a head turned by five degrees
        await visitor.wait_for(lambda: engine.streams[-1].puppet_frame)
        frame = engine.streams[-1].puppet_frame
        assert frame is not None
        assert abs(frame.pose.yaw - 5) < 0.6
        camera.level = 0
        await visitor.wait_for(lambda: engine.streams[-1].puppet_frame is None)
        camera.level = None
        await visitor.wait_for(lambda: len(visitor.heard("camera")) == 4)
        states = [message["state"] for message in visitor.heard("camera")]
        assert states == ["looking", "driving", "looking", "off"]
        count = len(visitor.video)
        await visitor.wait_for(lambda: len(visitor.video) > count + 10)


async def test_an_engine_without_the_means_says_so_and_goes_on(
    settings: ServiceSettings, parts: EngineParts
) -> None:
    stiff = OpenBook(kind=StiffStream)
    async with (
        running_server(settings, replace(parts, load=lambda: stiff)) as url,
        visit(url, microphone=False, camera=Camera(level=128)) as visitor,
    ):
        await visitor.connect()
        await visitor.wait_for(lambda: visitor.heard("refused"))
        assert visitor.heard("refused")[0]["code"] == "cannot_direct"
        answer = await visitor.http.post(visitor.location + "/gestures", json={"name": "nod"})
        assert_error(answer, 409, "cannot_direct")
        count = len(visitor.video)
        await visitor.wait_for(lambda: len(visitor.video) > count + 10)


def connection_with(order: tuple[str, ...]) -> RTCPeerConnection:
    """A caller's, with video sections in these directions."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver("audio", direction="recvonly")
    for direction in order:
        connection.addTransceiver("video", direction=direction)
    connection.createDataChannel("control")
    return connection


@pytest.mark.parametrize("order", [("recvonly", "sendonly"), ("sendonly", "recvonly")])
async def test_a_camera_may_have_a_video_section_of_its_own(
    url: str, order: tuple[str, str]
) -> None:
    connection = connection_with(order)
    await connection.setLocalDescription(await connection.createOffer())
    async with httpx.AsyncClient(base_url=url) as http:
        answer = await http.post(
            "/v1/sessions",
            content=connection.localDescription.sdp,
            headers={"content-type": "application/sdp"},
        )
        await http.delete(answer.headers["location"])
    await connection.close()
    sections = answer.text.split("m=video")[1:]
    assert ["a=sendonly" in section for section in sections] == [
        direction == "recvonly" for direction in order
    ]
    assert sum("a=recvonly" in section for section in sections) == 1


@pytest.mark.parametrize("order", [("recvonly", "recvonly"), ("sendonly",), ("sendrecv",) * 2])
async def test_offers_with_no_or_two_places_for_the_portrait(
    url: str, order: tuple[str, ...]
) -> None:
    connection = connection_with(order)
    offer = (await connection.createOffer()).sdp
    await connection.close()
    async with httpx.AsyncClient(base_url=url) as http:
        answer = await http.post(
            "/v1/sessions", content=offer, headers={"content-type": "application/sdp"}
        )
    assert "one section that receives" in assert_error(answer, 400, "bad_offer")


async def test_what_can_be_asked_for_is_listed(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as http:
        listed = (await http.get("/v1/directions")).json()
        assert_error(await http.get("/v1/sessions/nobody/direction"), 404, "unknown_session")
    assert listed["emotions"][:2] == ["neutral", "smile"]
    assert {"name": "nod", "length_s": 1.0} in listed["gestures"]
    assert listed["limits"]["pose"]["yaw"] == [-YAW, YAW]
    assert listed["limits"]["strength"] == [0.0, 2.0]
