"""Offers that are made without a call, and what every refusal looks like."""

import httpx
from aiortc import RTCConfiguration, RTCPeerConnection


def assert_error(answer: httpx.Response, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["x-request-id"]
    body = answer.json()
    assert list(body) == ["error"]
    assert body["error"]["code"] == code
    message = str(body["error"]["message"])
    assert message
    assert "\n" not in message
    return message


async def offer_with(*kinds: str, channel: bool = True) -> str:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    for kind in kinds:
        connection.addTransceiver(kind)
    if channel:
        connection.createDataChannel("control")
    offer = await connection.createOffer()
    await connection.close()
    return str(offer.sdp)
