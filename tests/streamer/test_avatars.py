import asyncio
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.api import NoFaceError, Picture, PortraitOptions
from engine.avatar_look import Look
from engine.avatar_store import (
    AvatarStore,
    Change,
    Draft,
    SameAvatarError,
    UnknownAvatarError,
)
from engine.picture import read_picture
from streamer import avatars
from streamer.avatars import (
    Avatars,
    BuiltInAvatarError,
    TooManyAvatarsError,
    UnreadablePictureError,
)
from streamer.remote.messages import EngineGoneError
from streamer.studio import NotReadyError, Studio
from streamer.worker import WorkerFullError
from tests.fakes import FakeAvatar, FakeEngine


def png(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), level, np.uint8)).save(file, "PNG")
    return file.getvalue()


def read_only_record(folder: Path) -> dict[str, Any]:
    (record_file,) = folder.rglob("record.json")
    record: dict[str, Any] = json.loads(record_file.read_text())
    return record


@pytest.fixture
def studio() -> Iterator[Studio]:
    with Studio(PortraitOptions(size=128)) as studio:
        yield studio


@pytest.fixture
async def shelf(studio: Studio, tmp_path: Path) -> Avatars:
    await studio.load(FakeEngine)
    return Avatars(studio, tmp_path / "avatars", read_picture)


async def test_the_first_bundled_one_is_the_default(shelf: Avatars) -> None:
    with pytest.raises(NotReadyError):
        shelf.get(None)
    for level in (10, 20):
        await shelf.add_builtin(f"level {level}", np.full((9, 9, 3), level, np.uint8))
    assert shelf.get(None).name == "level 10"
    with pytest.raises(BuiltInAvatarError, match="level 20"):
        await shelf.delete("fake020")


async def test_an_upload_is_kept_with_its_consent_and_comes_back(
    shelf: Avatars, studio: Studio, tmp_path: Path
) -> None:
    data = png(50)
    before = datetime.now(UTC)
    entry = await shelf.add_upload(Draft(name="Ada", picture=data))
    record = read_only_record(tmp_path)
    assert record["name"] == "Ada"
    assert record["consent"]["given"] is True
    assert record["consent"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert before <= datetime.fromisoformat(record["consent"]["at"]) <= datetime.now(UTC)
    again = Avatars(studio, tmp_path / "avatars", read_picture)
    await again.load_uploads()
    assert [each.describe() for each in again.entries] == [entry.describe()]


async def test_delete_leaves_nothing_on_disk(shelf: Avatars, tmp_path: Path) -> None:
    entry = await shelf.add_upload(Draft(name="Ada", picture=png(50)))
    await shelf.delete(entry.avatar.avatar_id)
    assert not list((tmp_path / "avatars").iterdir())
    with pytest.raises(UnknownAvatarError, match="fake050"):
        await shelf.delete("fake050")


async def test_refused_pictures_leave_nothing_on_disk(shelf: Avatars, tmp_path: Path) -> None:
    with pytest.raises(UnreadablePictureError):
        await shelf.add_upload(Draft(name="x", picture=b"nonsense"))
    with pytest.raises(NoFaceError):
        await shelf.add_upload(Draft(name="x", picture=png(0)))
    assert not (tmp_path / "avatars").exists()


async def test_uploading_a_bundled_picture_gives_the_bundled_avatar(
    shelf: Avatars, tmp_path: Path
) -> None:
    bundled = await shelf.add_builtin("bundled", read_picture(png(30)))
    assert await shelf.add_upload(Draft(name="mine", picture=png(30))) is bundled
    assert not (tmp_path / "avatars").exists()


async def test_damaged_folders_are_skipped_and_reported(
    shelf: Avatars, studio: Studio, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await shelf.add_upload(Draft(name="Ada", picture=png(50)))
    broken = tmp_path / "avatars" / "broken"
    broken.mkdir()
    (broken / "record.json").write_text('{"name": "x"}')
    (tmp_path / "avatars" / "cut short").mkdir()
    again = Avatars(studio, tmp_path / "avatars", read_picture)
    await again.load_uploads()
    assert [entry.name for entry in again.entries] == ["Ada"]
    assert "broken is skipped" in caplog.text


async def test_the_shelf_is_bounded(shelf: Avatars, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avatars, "MAX_UPLOADS", 1)
    await shelf.add_upload(Draft(name="one", picture=png(50)))
    with pytest.raises(TooManyAvatarsError):
        await shelf.add_upload(Draft(name="two", picture=png(60)))


async def test_what_others_do_to_the_folder_is_noticed(shelf: Avatars, tmp_path: Path) -> None:
    """As `run_server.py avatars` does it beside a server that runs."""
    await shelf.load_uploads()
    beside = AvatarStore(tmp_path / "avatars")
    kept = beside.save(Draft(name="Ada", picture=png(50)), "fake050")
    assert (await shelf.find("ada")).name == "Ada"
    kept = beside.change(kept, Change(name="Bea"), "fake050")
    await shelf.look_again()
    assert [entry.name for entry in shelf.entries] == ["Bea"]
    kept = beside.change(kept, Change(look=Look(background="blur")), "fake050 blur")
    await shelf.look_again()
    assert [entry.avatar.avatar_id for entry in shelf.entries] == ["fake050 blur"]
    beside.remove(kept)
    await shelf.look_again()
    assert shelf.entries == []


@dataclass
class CountingEngine(FakeEngine):
    """Counts the pictures that it prepared, and can be out of order."""

    prepared: int = 0
    is_gone: bool = False

    def prepare(self, picture: Picture, options: PortraitOptions) -> FakeAvatar:
        if self.is_gone:
            raise EngineGoneError("being restarted")
        self.prepared += 1
        return super().prepare(picture, options)


async def test_looking_again_prepares_only_what_is_new(studio: Studio, tmp_path: Path) -> None:
    engine = CountingEngine()
    await studio.load(lambda: engine)
    shelf = Avatars(studio, tmp_path / "avatars", read_picture)
    await shelf.load_uploads()
    beside = AvatarStore(tmp_path / "avatars")
    beside.save(Draft(name="one", picture=png(50)), "a")
    await shelf.look_again()
    await shelf.look_again()
    assert engine.prepared == 1
    engine.is_gone = True
    beside.save(Draft(name="two", picture=png(60)), "b")
    await shelf.look_again()
    assert len(shelf.entries) == 1
    engine.is_gone = False
    await shelf.look_again()
    assert [entry.name for entry in shelf.entries] == ["one", "two"]
    assert engine.prepared == 2


async def test_another_look_takes_the_place_of_the_first(shelf: Avatars, tmp_path: Path) -> None:
    first = await shelf.add_upload(Draft(name="Ada", picture=png(50), agreed_by="Ada herself"))
    await shelf.add_upload(Draft(name="Bea", picture=png(60)))
    changed = await shelf.change("ada", Change(name="Cleo", look=Look(background="blur")))
    assert [entry.name for entry in shelf.entries] == ["Cleo", "Bea"]
    assert first.kept is not None
    assert changed.kept is not None
    assert changed.kept.consent == first.kept.consent
    assert AvatarStore(tmp_path / "avatars").get("cleo").look == Look(background="blur")
    with pytest.raises(UnknownAvatarError):
        shelf.get(first.avatar.avatar_id)


async def test_a_look_that_a_bundled_one_has_is_refused(shelf: Avatars) -> None:
    await shelf.add_builtin("bundled", read_picture(png(50)))
    blurred = Draft(name="Ada", picture=png(50), look=Look(background="blur"))
    await shelf.add_upload(blurred)
    with pytest.raises(SameAvatarError, match="'bundled'"):
        await shelf.change("Ada", Change(look=Look(background="default")))
    assert [entry.name for entry in shelf.entries] == ["bundled", "Ada"]


async def test_few_changes_wait_and_more_are_refused(shelf: Avatars) -> None:
    await shelf.load_uploads()
    async with shelf._one_at_a_time:
        waiting = [
            asyncio.create_task(shelf.delete(f"nobody {number}"))
            for number in range(avatars.MAX_WAITING)
        ]
        await asyncio.sleep(0)
        with pytest.raises(WorkerFullError, match="wait already"):
            await shelf.delete("one more")
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(end) for end in ends} == {UnknownAvatarError}
    with pytest.raises(UnknownAvatarError):
        await shelf.delete("one more")
