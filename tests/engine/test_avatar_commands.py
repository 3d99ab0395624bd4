"""`run_server.py avatars`: exit codes, words and JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from engine.avatar_commands import app
from engine.avatar_look import Look
from engine.portrait_choice import choose_portrait
from tests.fakes import FakeEngine


@pytest.fixture
def face(tmp_path: Path) -> str:
    path = tmp_path / "face.png"
    Image.fromarray(np.full((20, 20, 3), 90, np.uint8)).save(path)
    return str(path)


class Shell:
    """Runs commands on one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        command = [*arguments, "--data-dir", str(self.folder)]
        result = CliRunner().invoke(app, command, obj=FakeEngine)
        return result.exit_code, result.stdout, result.stderr

    def told(self, *arguments: str) -> dict[str, Any]:
        code, out, error = self(*arguments, "--json")
        assert code == 0, error
        told: dict[str, Any] = json.loads(out)
        return told


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "data")


def test_an_avatar_is_added_shown_renamed_and_removed(shell: Shell, face: str) -> None:
    assert shell.told("list") == {"avatars": []}
    own = ("--framing", "full", "--background", "blur", "--size", "256x128")
    added = shell.told("add", "Ada", face, "--consent", "Ada herself, 2026", *own)
    assert (added["framing"], added["background"], added["size"]) == ("full", "blur", "256x128")
    assert (added["consent"]["given"], added["consent"]["by"]) == (True, "Ada herself, 2026")
    assert shell.told("show", "ada") == added
    assert shell.told("rename", "Ada", "Bea")["name"] == "Bea"
    code, out, _ = shell("list")
    assert code == 0
    assert "Bea: size 256x128, framing full, background blur" in out
    assert shell.told("remove", "Bea") == {"removed": "Bea"}
    assert "no avatar is kept" in shell("list")[1]


def test_an_avatar_gets_another_look_under_the_same_consent(
    shell: Shell, face: str, tmp_path: Path
) -> None:
    added = shell.told("add", "Ada", face, "--consent", "Ada", "--framing", "full")
    changed = shell.told("change", "ada", "--background", "blur", "--size", "256")
    own = ("full", "blur", "256")
    assert (changed["framing"], changed["background"], changed["size"]) == own
    assert (changed["name"], changed["consent"]) == ("Ada", added["consent"])
    assert shell.told("list") == {"avatars": [changed]}
    beach = tmp_path / "beach.png"
    Image.fromarray(np.full((9, 9, 3), 3, np.uint8)).save(beach)
    usual = ("--framing", "default", "--size", "default")
    shown = shell.told("change", "Ada", "--background", str(beach), *usual)
    assert (shown["framing"], shown["background"], shown["size"]) == (None, "picture", None)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--background", "pink"), "expected keep"),
        (("--framing", "head"), "expected crop or full"),
        (("--size", "1"), "expected an even number"),
    ],
)
def test_a_look_that_cannot_be_had_changes_nothing(
    shell: Shell, face: str, flags: tuple[str, ...], words: str
) -> None:
    added = shell.told("add", "Ada", face, "--consent", "Ada")
    code, _, error = shell("change", "Ada", *flags)
    assert (code, words in error) == (2, True)
    assert shell.told("show", "Ada") == added


def test_a_film_shows_a_kept_avatar_and_flags_come_first(shell: Shell, face: str) -> None:
    shell.told("add", "Ada", face, "--consent", "Ada", "--background", "blur", "--size", "256")
    picture, options = choose_portrait(None, "ada", shell.folder, Look())
    assert picture.read_bytes() == Path(face).read_bytes()
    assert (options.size, options.background.name) == (256, "blur")
    asked = Look(background="keep", size="320x200")
    _, options = choose_portrait(None, "Ada", shell.folder, asked)
    assert (options.size, options.height, options.background.name) == (320, 200, "keep")


def test_a_picture_behind_the_person_is_kept_with_them(
    shell: Shell, face: str, tmp_path: Path
) -> None:
    beach = tmp_path / "beach.png"
    Image.fromarray(np.full((9, 9, 3), 3, np.uint8)).save(beach)
    added = shell.told("add", "Ada", face, "--consent", "Ada", "--background", str(beach))
    assert added["background"] == "picture"
    beach.unlink()
    _, options = choose_portrait(None, "Ada", shell.folder, Look())
    assert options.background.picture is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "Ada", "FACE"), "--consent"),
        (("add", "Ada", "FACE", "--consent", " "), "expected who agreed"),
        (("add", "", "FACE", "--consent", "x"), "expected 1 to 80"),
        (("add", "Ada", "none.png", "--consent", "x"), "no such file"),
        (("add", "Ada", "FACE", "--consent", "x", "--background", "pink"), "expected keep"),
        (("add", "Ada", "FACE", "--consent", "x", "--framing", "head"), "expected crop or full"),
        (("add", "Ada", "FACE", "--consent", "x", "--size", "1"), "expected an even number"),
        (("show", "Ada"), "no such avatar"),
        (("remove", "../Ada"), "no such avatar"),
        (("rename", "Ada", "Bea"), "no such avatar"),
        (("change", "Ada", "--background", "blur"), "no such avatar"),
    ],
)
def test_mistakes_end_with_code_2_and_leave_nothing(
    shell: Shell, face: str, arguments: tuple[str, ...], words: str
) -> None:
    given = [face if argument == "FACE" else argument for argument in arguments]
    code, _, error = shell(*given)
    assert code == 2
    assert words in error
    assert not list(shell.folder.rglob("*.json"))


def test_a_taken_name_is_refused(shell: Shell, face: str, tmp_path: Path) -> None:
    shell.told("add", "Ada", face, "--consent", "Ada")
    code, _, error = shell("add", "ada", face, "--consent", "Ada", "--background", "blur")
    assert (code, "another avatar has it" in error) == (2, True)
