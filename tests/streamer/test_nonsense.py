"""Whatever strangers send is refused with a reason: 4xx or 503, never a failure of ours."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from streamer import bodies
from streamer.service import Service
from tests.streamer.refusals import assert_error, offer_with
from tests.streamer.visitor import SDP_HEADERS

few = hypothesis_settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
FORM = {"content-type": "multipart/form-data; boundary=x"}
FORM_PIECES = (
    b"--x\r\n",
    b"--x--\r\n",
    b'Content-Disposition: form-data; name="picture"; filename="a.png"\r\n',
    b'Content-Disposition: form-data; name="consent"\r\n',
    b'Content-Disposition: form-data; name="name"\r\n',
    b"Content-Type: image/png\r\n",
    b"\r\n",
    b"true\r\n",
    b"\x89PNG\r\n\x1a\n",
)
# One wrong line in a good offer goes deeper than noise does.
WRONG = ("", "m=", "a=", "a=mid:", "a=fingerprint:sha-256 0", "a=rtpmap:x", "a=candidate:1", "\0")


def is_refusal(answer: httpx.Response) -> bool:
    return 400 <= answer.status_code < 500 and list(answer.json()) == ["error"]


@contextmanager
def nothing_left_running(service: Service) -> Iterator[None]:
    yield
    assert service.sessions._opening == 0


@given(change=st.data())
@few
async def test_offers_with_one_wrong_line(
    http: httpx.AsyncClient, service: Service, change: st.DataObject
) -> None:
    lines = (await offer_with("audio", "video")).splitlines()
    place = change.draw(st.integers(0, len(lines) - 1))
    lines[place] = change.draw(st.sampled_from(WRONG) | st.text(max_size=30))
    offer = "\r\n".join(lines) + "\r\n"
    with nothing_left_running(service):
        answer = await http.post("/v1/sessions", content=offer.encode(), headers=SDP_HEADERS)
        if answer.status_code == 201:  # some lines change nothing
            answer = await http.delete(answer.headers["location"])
            assert answer.status_code == 204
        else:
            assert is_refusal(answer), answer.text


@given(body=st.binary(max_size=300))
@few
async def test_bytes_that_are_no_offer(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await http.post("/v1/sessions", content=body, headers=SDP_HEADERS)
    assert is_refusal(answer), answer.text


@given(pieces=st.lists(st.sampled_from(FORM_PIECES) | st.binary(max_size=20), max_size=14))
@few
async def test_forms_out_of_order(http: httpx.AsyncClient, pieces: list[bytes]) -> None:
    answer = await http.post("/v1/avatars", content=b"".join(pieces), headers=FORM)
    assert is_refusal(answer), answer.text


@given(value=st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60))
@few
async def test_headers_of_any_kind(http: httpx.AsyncClient, value: str) -> None:
    names = ("accept", "if-match", "origin", "content-length", "x-forwarded-for", "host")
    for name in names:
        headers = [(name.encode(), value.encode("latin-1")), (b"content-type", b"application/sdp")]
        answer = await http.post("/v1/sessions", content=b"", headers=headers)
        assert is_refusal(answer), (name, answer.text)


async def post_in_pieces(app: FastAPI, *pieces: dict[str, object]) -> list[dict[str, Any]]:
    """What is answered to an offer of which no more comes than `pieces`."""
    sent: list[dict[str, Any]] = []
    coming = list(pieces)

    async def receive() -> dict[str, object]:
        if coming:
            return coming.pop(0)
        await asyncio.sleep(30)
        return {}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/sessions",
        "query_string": b"",
        "headers": [(b"content-type", b"application/sdp")],
        "client": ("127.0.0.1", 1),
    }
    await app(scope, receive, send)  # type: ignore[arg-type]
    return sent


BEGINNING = {"type": "http.request", "body": b"v", "more_body": True}


async def test_a_body_that_never_ends_is_given_up(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_WITHIN_S", 0.05)
    head, body = await post_in_pieces(app, BEGINNING)
    assert head["status"] == 408
    assert b"too_slow" in body["body"]


async def test_a_client_that_leaves_within_its_body_is_no_fault_of_ours(
    app: FastAPI, caplog: pytest.LogCaptureFixture
) -> None:
    head, body = await post_in_pieces(app, BEGINNING, {"type": "http.disconnect"})
    assert head["status"] == 400
    assert b"incomplete_body" in body["body"]
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


async def test_more_uploads_than_anyone_could_prepare(
    http: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.studio._desk, "_capacity", 0)
    files = {"picture": ("a.png", b"x", "image/png")}
    answer = await http.post("/v1/avatars", data={"name": "A", "consent": "true"}, files=files)
    assert_error(answer, 503, "busy")
    assert int(answer.headers["retry-after"]) > 0
