"""Avatars by name, with a framing and a background of their own, over HTTP."""

import io
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.streamer.refusals import assert_error

CONSENT = {"name": "Ada", "consent": "true"}


def png(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((32, 32, 3), level, np.uint8)).save(file, "PNG")
    return file.getvalue()


async def add(http: httpx.AsyncClient, *, level: int = 100, **fields: str) -> httpx.Response:
    return await http.post("/v1/avatars", data=CONSENT | fields, files={"picture": png(level)})


async def test_one_portrait_has_many_looks(http: httpx.AsyncClient) -> None:
    plain = (await add(http)).json()
    blurred = (await add(http, name="Ada, blurred", background="blur", framing="full")).json()
    assert (plain["framing"], plain["background"]) == ("crop", "keep")
    assert (blurred["framing"], blurred["background"]) == ("full", "blur")
    assert plain["id"] != blurred["id"]


async def test_an_avatar_tells_its_consent_and_no_more(http: httpx.AsyncClient) -> None:
    await add(http, consent_by="Ada herself", background="chroma")
    told = (await http.get("/v1/avatars/ada")).json()
    assert (told["name"], told["background"]) == ("Ada", "#00ff00")
    assert set(told["consent"]) == {"given", "at", "sha256", "by"}
    assert told["consent"]["by"] == "Ada herself"
    builtin = (await http.get("/v1/avatars/fake010")).json()
    assert (builtin["builtin"], builtin["consent"]) == (True, None)


async def test_a_picture_may_lie_behind_the_person(http: httpx.AsyncClient, tmp_path: Path) -> None:
    files = {"picture": png(100), "background_picture": png(7)}
    told = (await http.post("/v1/avatars", data=CONSENT, files=files)).json()
    assert told["background"] == "picture"
    nonsense = {"picture": png(100), "background_picture": b"nonsense"}
    answer = await http.post("/v1/avatars", data=CONSENT | {"name": "Bea"}, files=nonsense)
    assert_error(answer, 415, "not_a_picture")


async def test_names_are_unique_and_can_be_changed(http: httpx.AsyncClient) -> None:
    ada = (await add(http)).json()
    assert_error(await add(http, level=120, name="ADA"), 409, "name_taken")
    bea = (await add(http, level=120, name="Bea")).json()
    path = f"/v1/avatars/{bea['id']}"
    assert_error(await http.patch(path, json={"name": "ada"}), 409, "name_taken")
    renamed = await http.patch(path, json={"name": " Cleo "})
    assert renamed.json()["name"] == "Cleo"
    assert (await http.get("/v1/avatars/cleo")).json()["id"] == bea["id"]
    assert_error(await http.get("/v1/avatars/bea"), 404, "unknown_avatar")
    assert (await http.delete("/v1/avatars/Cleo")).status_code == 204
    names = [each["name"] for each in (await http.get("/v1/avatars")).json()["avatars"]]
    assert names[2:] == [ada["name"]]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"framing": "head"}, "bad_look"),
        ({"background": "pink"}, "bad_look"),
        ({"background": "/etc/passwd"}, "bad_look"),
        ({"background": "picture"}, "bad_look"),
        ({"consent_by": "x" * 401}, "bad_name"),
    ],
)
async def test_looks_that_cannot_be_had(
    http: httpx.AsyncClient, fields: dict[str, str], code: str
) -> None:
    assert_error(await add(http, level=100, **fields), 400, code)


async def test_an_avatar_gets_another_look(http: httpx.AsyncClient) -> None:
    before = (await add(http, consent_by="Ada herself")).json()
    wishes = {"background": "blur", "framing": "full", "size": "96x128"}
    refused = await http.patch(f"/v1/avatars/{before['id']}", json=wishes)
    assert_error(refused, 400, "bad_look")
    wishes["size"] = "256x128"
    after = (await http.patch(f"/v1/avatars/{before['id']}", json=wishes)).json()
    assert (after["name"], after["framing"], after["background"]) == ("Ada", "full", "blur")
    assert (after["width"], after["height"]) == (256, 128)
    assert after["consent"]["by"] == "Ada herself"
    assert (await http.get("/v1/avatars/ada")).json() == after
    assert_error(await http.get(f"/v1/avatars/{before['id']}"), 404, "unknown_avatar")
    usual = dict.fromkeys(wishes, "default")
    again = (await http.patch("/v1/avatars/ada", json=usual)).json()
    assert {**again, "consent": None} == {**before, "consent": None}


async def test_a_change_may_bring_a_picture(http: httpx.AsyncClient) -> None:
    await add(http)
    files = {"background_picture": png(7)}
    changed = await http.patch("/v1/avatars/ada", data={"name": "Bea"}, files=files)
    assert (changed.json()["name"], changed.json()["background"]) == ("Bea", "picture")
    nonsense = {"background_picture": b"nonsense"}
    assert_error(await http.patch("/v1/avatars/bea", files=nonsense), 415, "not_a_picture")


async def test_the_look_of_another_one_is_refused(http: httpx.AsyncClient) -> None:
    await add(http)
    await add(http, name="Bea", background="blur")
    answer = await http.patch("/v1/avatars/bea", json={"background": "default"})
    assert_error(answer, 409, "same_avatar")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "bad_change"),
        ("[]", "bad_change"),
        ("[" * 4000, "bad_change"),
        ("{}", "bad_change"),
        ('{"name": 3}', "bad_change"),
        ('{"colour": "blue"}', "bad_change"),
        ('{"name": " "}', "bad_name"),
        ('{"background": "pink"}', "bad_look"),
        ('{"background": "picture"}', "bad_look"),
    ],
)
async def test_a_change_names_what_shall_be(http: httpx.AsyncClient, body: str, code: str) -> None:
    await add(http)
    headers = {"content-type": "application/json"}
    answer = await http.patch("/v1/avatars/ada", content=body, headers=headers)
    assert_error(answer, 400, code)
    builtin = await http.patch("/v1/avatars/fake010", json={"name": "mine"})
    assert_error(builtin, 403, "built_in_avatar")


async def test_a_session_may_name_its_avatar(http: httpx.AsyncClient) -> None:
    """The offer is nonsense, but the avatar is found first."""
    await add(http)
    headers = {"content-type": "application/sdp"}
    for name, status in (("Ada", 400), ("ada", 400), ("nobody", 404)):
        answer = await http.post(f"/v1/sessions?avatar={name}", content="v=0", headers=headers)
        assert answer.status_code == status
