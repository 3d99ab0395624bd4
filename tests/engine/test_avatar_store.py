"""Avatars on disk: whole or absent, by unique names, with who agreed."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.api import AvatarError, Background, Framing, PortraitOptions
from engine.avatar_look import SHOWN_PICTURE, USUAL, Look
from engine.avatar_store import (
    AvatarStore,
    BadNameError,
    Change,
    Draft,
    NameTakenError,
    SameAvatarError,
    UnknownAvatarError,
    clean_name,
)


def png(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> AvatarStore:
    return AvatarStore(tmp_path / "avatars")


def test_what_is_kept_comes_back(store: AvatarStore) -> None:
    look = Look(framing="full", background=SHOWN_PICTURE, size="640x360")
    draft = Draft(name="Ada", picture=png(1), look=look, shown=png(2), agreed_by="Ada herself")
    store.save(draft, "0" * 16)
    kept = store.get("  ada".strip())
    assert (kept.name, kept.look, kept.avatar_id) == ("Ada", look, "0" * 16)
    assert (kept.consent["given"], kept.consent["by"]) == (True, "Ada herself")
    assert (kept.draft().picture, kept.draft().shown) == (png(1), png(2))
    options = kept.options(PortraitOptions())
    assert (options.size, options.height, options.framing) == (640, 360, Framing.FULL)
    assert options.background == Background.showing(np.full((8, 8, 3), 2, np.uint8))


def test_a_look_leaves_to_others_what_it_does_not_say() -> None:
    usual = PortraitOptions(size=256, framing=Framing.FULL, background=Background("blur"))
    assert Look().over(usual, None) == usual
    assert Look(background="chroma").over(usual, None).size == 256
    with pytest.raises(AvatarError, match="none is there"):
        Look(background=SHOWN_PICTURE).over(usual, None)
    with pytest.raises(AvatarError, match="expected keep, blur"):
        Look(background="/etc/passwd").over(usual, None)


def test_names_are_unique_for_people(store: AvatarStore) -> None:
    ada = store.save(Draft(name="Ada", picture=png(1)), "a")
    with pytest.raises(NameTakenError, match="'ADA'"):
        store.save(Draft(name="ADA", picture=png(2)), "b")
    other = store.save(Draft(name="Ada", picture=png(1)), "a")  # the same once more
    assert other.folder == ada.folder
    store.save(Draft(name="Bea", picture=png(1), look=Look(background="blur")), "c")
    with pytest.raises(NameTakenError):
        store.change(store.get("Bea"), Change(name="ada"), "c")
    assert store.change(store.get("Bea"), Change(name="Cleo"), "c").name == "Cleo"
    assert [kept.name for kept in store.all()] == ["Ada", "Cleo"]


def test_removing_forgets_the_prepared_scene_too(
    store: AvatarStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEXPRESS_CACHE_DIR", str(tmp_path / "cache"))
    scenes = tmp_path / "cache" / "scenes"
    scenes.mkdir(parents=True)
    for name in ("0123456789abcdef", "fedcba9876543210"):
        (scenes / f"{name}.npz").touch()
    store.remove(store.save(Draft(name="Ada", picture=png(1)), "0123456789abcdef"))
    assert [path.stem for path in scenes.iterdir()] == ["fedcba9876543210"]
    assert not list(store.folder.iterdir())
    with pytest.raises(UnknownAvatarError, match="'Ada'"):
        store.get("Ada")


def test_another_look_keeps_name_and_consent(store: AvatarStore) -> None:
    draft = Draft(name="Ada", picture=png(1), look=Look(framing="full"), agreed_by="Ada herself")
    before = store.save(draft, "a")
    look = Look(framing=USUAL, background=SHOWN_PICTURE, size="256")
    after = store.change(before, Change(look=look, shown=png(2)), "b")
    assert store.all() == [after]
    assert (after.name, after.consent, after.avatar_id) == ("Ada", before.consent, "b")
    assert after.look == Look(background=SHOWN_PICTURE, size="256")
    assert after.draft().shown == png(2)
    other = store.change(after, Change(shown=png(3)), "c")
    assert (store.all(), other.draft().shown) == ([other], png(3))
    plain = store.change(other, Change(look=Look(background="keep")), "d")
    assert plain.draft().shown is None


def test_a_look_that_another_one_has_is_refused(store: AvatarStore) -> None:
    plain = store.save(Draft(name="Ada", picture=png(1)), "a")
    blurred = store.save(Draft(name="Bea", picture=png(1), look=Look(background="blur")), "b")
    with pytest.raises(SameAvatarError, match="'Bea'"):
        store.change(blurred, Change(look=Look(background=USUAL)), "a")
    assert store.all() == [plain, blurred]


def test_whatever_is_done_shows_in_the_stamp(store: AvatarStore) -> None:
    stamps = [store.stamp()]
    kept = store.save(Draft(name="Ada", picture=png(1)), "a")
    stamps.append(store.stamp())
    kept = store.change(kept, Change(name="Bea"), "a")
    stamps.append(store.stamp())
    kept = store.change(kept, Change(look=Look(background="blur")), "b")
    stamps += [store.stamp(), store.stamp()]
    assert stamps.pop() == stamps[-1]
    assert len(set(stamps)) == len(stamps)
    store.remove(kept)
    assert store.stamp() == stamps[0]


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"name": 1}', '{"name": "x", "consent": 3}', "\x00"]
)
def test_damaged_records_are_skipped_with_a_word(
    store: AvatarStore, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    store.save(Draft(name="Ada", picture=png(1)), "a")
    broken = store.folder / "broken"
    broken.mkdir()
    (broken / "picture").write_bytes(png(1))
    (broken / "record.json").write_text(text)
    assert [kept.name for kept in store.all()] == ["Ada"]
    assert "broken is skipped" in caplog.text


def test_records_of_earlier_versions_are_read(store: AvatarStore) -> None:
    store.folder.mkdir()
    old = store.folder / "old"
    old.mkdir()
    (old / "picture").write_bytes(png(1))
    (old / "record.json").write_text(json.dumps({"name": "Old", "consent": {"given": True}}))
    assert store.get("old").look == Look()


def test_a_folder_that_was_cut_short_is_no_avatar(store: AvatarStore) -> None:
    kept = store.save(Draft(name="Ada", picture=png(1)), "a")
    kept.folder.rename(store.folder / ".adding-x")
    assert store.all() == []


@pytest.mark.parametrize("name", ["", " \n ", "x" * 81, "a\x00b", "\u202eevil"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(BadNameError, match="expected 1 to 80 printable"):
        clean_name(name)


def test_names_are_never_paths(store: AvatarStore) -> None:
    kept = store.save(Draft(name="../../etc/passwd", picture=png(1)), "a")
    assert kept.folder.parent == store.folder
