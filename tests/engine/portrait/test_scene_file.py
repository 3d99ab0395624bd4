from pathlib import Path

import numpy as np
import pytest

from engine.api import Background, Framing, Picture, PortraitOptions
from engine.portrait import scene_file
from engine.portrait.channels import CHANNELS
from engine.portrait.renderer import Renderer, Scene
from engine.portrait.scene_file import SceneCache, scene_id


def test_a_scene_read_back_renders_the_same(scene: Scene, tmp_path: Path) -> None:
    cache = SceneCache(tmp_path)
    cache.save("one", scene)
    again = cache.load("one")
    assert again is not None
    motion = np.linspace(-0.1, 0.3, CHANNELS).astype(np.float32)
    assert np.array_equal(Renderer(again).render(motion), Renderer(scene).render(motion))


def test_missing_and_damaged_files_are_prepared_again(scene: Scene, tmp_path: Path) -> None:
    cache = SceneCache(tmp_path)
    assert cache.load("one") is None
    cache.save("one", scene)
    path = tmp_path / "one.npz"
    path.write_bytes(path.read_bytes()[:5000])
    assert cache.load("one") is None
    path.write_bytes(b"")
    assert cache.load("one") is None
    assert [item.name for item in tmp_path.iterdir()] == ["one.npz"]


def test_the_folder_does_not_grow_for_ever(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene_file, "MAX_FILES", 2)
    cache = SceneCache(tmp_path)
    for name in ("a", "b", "c"):
        cache.save(name, scene)
    assert len(list(tmp_path.glob("*.npz"))) == 2
    assert cache.load("c") is not None


def test_names_follow_content_and_options(astronaut: Picture) -> None:
    names = {
        scene_id(astronaut, PortraitOptions()),
        scene_id(astronaut, PortraitOptions(size=256)),
        scene_id(astronaut, PortraitOptions(framing=Framing.FULL)),
        scene_id(astronaut, PortraitOptions(height=256)),
        scene_id(astronaut, PortraitOptions(background=Background("blur"))),
        scene_id(astronaut[::-1], PortraitOptions()),
    }
    assert len(names) == 6
    assert scene_id(astronaut, PortraitOptions()) == scene_id(astronaut.copy(), PortraitOptions())
