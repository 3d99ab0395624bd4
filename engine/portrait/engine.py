"""The embedded default engine: shipped weights, two CPU cores."""

from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
import torch

from engine.api import Avatar, AvatarError, Engine, Picture, PortraitOptions, StreamOptions
from engine.cache import cache_folder
from engine.portrait.channels import CHANNELS
from engine.portrait.geometry import PoseSolver
from engine.portrait.landmarks import FaceLandmarker
from engine.portrait.motion import MotionModel
from engine.portrait.mouth_painter import WEIGHTS_PATH as MOUTH_WEIGHTS
from engine.portrait.mouth_painter import MouthModel, MouthPainter
from engine.portrait.prepare import Preparer
from engine.portrait.renderer import Renderer, Scene
from engine.portrait.scene_file import SceneCache, scene_id
from engine.portrait.stream import PortraitStream
from engine.portrait.watcher import CameraWatcher

DEVICES = ("auto", "cpu")


@dataclass(frozen=True, slots=True)
class PortraitAvatar:
    """A prepared portrait. Immutable, shared by every stream that shows it."""

    avatar_id: str
    scene: Scene = field(repr=False)
    mouth_painter: MouthPainter | None = field(repr=False)
    still: Picture = field(repr=False)  # [height, width, 3] at rest, mouth closed


class PortraitEngine:
    """An `Engine` of small models."""

    def __init__(
        self,
        preparer: Preparer,
        model: MotionModel,
        mouth_model: MouthModel | None,
        cache: SceneCache | None,
    ) -> None:
        self._preparer = preparer
        self._model = model
        self._mouth_model = mouth_model
        self._cache = cache
        self._preparing = Lock()

    def prepare(self, picture: Picture, options: PortraitOptions) -> PortraitAvatar:
        """Make an avatar of a picture [height, width, 3] uint8 RGB. Raises `BadPictureError`."""
        name = scene_id(picture, options)
        with self._preparing:
            scene = self._cache.load(name) if self._cache else None
            if scene is None:
                scene = self._preparer.scene(picture, options)
                if self._cache:
                    self._cache.save(name, scene)
        painter = None if scene.look.is_open else self._painter_of(scene)
        still = Renderer(scene, painter).render(np.zeros(CHANNELS, np.float32))
        still.flags.writeable = False
        return PortraitAvatar(name, scene, painter, still)

    def _painter_of(self, scene: Scene) -> MouthPainter | None:
        return self._mouth_model.painter(scene.look) if self._mouth_model else None

    def open(self, avatar: Avatar, options: StreamOptions) -> PortraitStream:
        """Start a stream of an avatar that this engine prepared."""
        if not isinstance(avatar, PortraitAvatar):
            raise AvatarError(f"expected an avatar of the portrait engine, got {avatar!r}")
        renderer = Renderer(avatar.scene, avatar.mouth_painter)
        return PortraitStream(renderer, avatar, self._model, options)

    def watch(self) -> CameraWatcher:
        """Start to follow somebody before a camera; each watcher has networks of its own."""
        return CameraWatcher(FaceLandmarker(), PoseSolver(self._preparer.canonical))


def load_engine(device: str = "auto", cache: Path | None = None) -> Engine:
    """Read the shipped weights; keep prepared avatars in `cache`, or in the user's cache.

    Raises `AvatarError` for a device that this engine does not run on.
    """
    if device not in DEVICES:
        raise AvatarError(
            f"device {device!r}: expected {' or '.join(DEVICES)}, the portrait engine needs no GPU"
        )
    torch.set_num_threads(1)  # small models: a second thread costs more than it brings
    cv2.setNumThreads(1)
    mouth = MouthModel.load() if MOUTH_WEIGHTS.is_file() else None  # else plain layers
    scenes = SceneCache(cache or cache_folder("scenes"))
    return PortraitEngine(Preparer.load(), MotionModel.load(), mouth, scenes)
