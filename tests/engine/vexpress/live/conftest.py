"""A live engine whose networks have a few thousand numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.api import Picture, PortraitOptions, Samples, StreamOptions, Unit
from engine.portrait.geometry import Canonical, Posed
from engine.portraits import bundled_portraits
from engine.stream.schedule import Burst, Diagonal, Window
from engine.vexpress.kps import Points
from engine.vexpress.live.avatar import VExpressAvatar
from engine.vexpress.live.decoding import Decoded, Finish, FrameDecoder
from engine.vexpress.live.engine import VExpressEngine
from engine.vexpress.live.loading import LiveSettings, load_live_engine
from engine.vexpress.live.stream import VExpressStream
from engine.vexpress.live.training_notes import NOTES
from engine.vexpress.model_files import read_model_config
from engine.vexpress.presets import Preset
from engine.vexpress.solid_face import SolidFace
from tests.engine.vexpress.tiny_models import FAST, SIZES, write_model_folder

SIZE = 128
FRAMES = 14
# The sorts of schedule that presets have, short ones: what a stream promises depends on no number.
PILE = Preset(
    name="pile",
    size=SIZE,
    schedule=Burst(diagonal=Diagonal(chunk_frames=2, steps=2), chunks=2, history_frames=1),
    meant_for="tests",
)
GUIDED = Preset(
    name="guided",
    size=SIZE,
    schedule=Window(chunk_frames=4, history_frames=2, steps=2, guided_steps=1),
    meant_for="tests",
    guidance_scale=2.0,
)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose weights say that they know mixed noise levels."""
    folder = tmp_path_factory.mktemp("live") / "model_ckpts"
    vae = Path(__file__).parents[3] / "golden" / "vexpress" / "weights" / "tiny_vae_A"
    write_model_folder(folder, vae, FAST)
    (folder / "v-express" / NOTES).write_text(json.dumps({"mixed_noise_levels": True}))
    return folder


def in_space(own: Points) -> SolidFace:
    """A face of the usual shape that looks ahead."""
    pose = np.eye(4)
    pose[2, 3] = -40
    return SolidFace.of(own, Posed(pose, Canonical.load().points), SIZE, SIZE)


def live_settings(models: Path, preset: Preset, keyframe_slots: int = 1) -> LiveSettings:
    return LiveSettings(
        preset=preset,
        config=read_model_config(models / SIZES, None),
        model_folder=models,
        device=torch.device("cpu"),
        dtype=torch.float32,
        keyframe_slots=keyframe_slots,
    )


@pytest.fixture(scope="session", params=[PILE, GUIDED], ids=lambda preset: preset.name)
def engine(request: pytest.FixtureRequest, models: Path) -> VExpressEngine:
    return load_live_engine(live_settings(models, request.param))


@pytest.fixture
def latents(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """Whatever is decoded from now on, [1, 4, frames, h, w] each."""
    decoded: list[Tensor] = []
    decode = FrameDecoder.decode

    def keeping(decoder: FrameDecoder, given: Tensor, finish: Finish) -> Decoded:
        decoded.append(given.clone())
        return decode(decoder, given, finish)

    monkeypatch.setattr(FrameDecoder, "decode", keeping)
    return decoded


@pytest.fixture(scope="session")
def portrait() -> Picture:
    return next(iter(bundled_portraits().values()))


@pytest.fixture(scope="session")
def avatar(engine: VExpressEngine, portrait: Picture) -> VExpressAvatar:
    return engine.prepare(portrait, PortraitOptions(size=SIZE))


def speech(frames: int = FRAMES, seed: int = 0, extra: int = 0) -> Samples:
    source = np.random.default_rng(seed)
    return (0.1 * source.standard_normal(640 * frames + extra)).astype(np.float32)


def perform(stream: VExpressStream, sound: Samples, cuts: list[int] | None = None) -> list[Unit]:
    units = []
    for part in np.split(sound, cuts or []):
        units += stream.push(part)
    return units + stream.flush()


@pytest.fixture(scope="session")
def spoken(engine: VExpressEngine, avatar: VExpressAvatar) -> list[Unit]:
    """How the usual speech is said when nobody asks for anything."""
    return perform(engine.open(avatar, StreamOptions()), speech())


def same(first: list[Unit], second: list[Unit]) -> bool:
    return len(first) == len(second) and all(
        np.array_equal(a.picture, b.picture) and np.array_equal(a.samples, b.samples)
        for a, b in zip(first, second, strict=True)
    )
