"""What may be loaded, and what is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.api import AvatarError, BadPictureError, Picture, PortraitOptions, StreamOptions
from engine.stream.schedule import Window
from engine.stream.solver import Renewal
from engine.vexpress.checkpoints import CheckpointError
from engine.vexpress.live.loading import LiveSettings, load_live_engine
from engine.vexpress.live.training_notes import (
    NOTES,
    TrainingNotes,
    UntrainedError,
    check_trained_for,
)
from engine.vexpress.model_files import ModelFiles
from engine.vexpress.presets import PRESETS, Decoder, UnknownPresetError, choose_preset
from tests.engine.vexpress.live.conftest import PILE, SIZE, live_settings


def test_presets_are_known_by_name() -> None:
    with pytest.raises(UnknownPresetError, match=r"preset 'a100'.*h100-512, 4090-384, 4090-512"):
        choose_preset("a100")
    assert choose_preset("stock").size == 512
    assert choose_preset("stock", 256).latent_side == 32
    with pytest.raises(BadPictureError, match="multiples of 8"):
        choose_preset("stock", 300)


def test_a_pile_needs_weights_that_know_it(tmp_path: Path) -> None:
    for preset in PRESETS:
        if not preset.needs_mixed_levels:
            check_trained_for(preset, tmp_path)
            continue
        with pytest.raises(UntrainedError, match=r"expected stock, or --force-schedule"):
            check_trained_for(preset, tmp_path)
    (tmp_path / NOTES).write_text(json.dumps({"mixed_noise_levels": True}))
    for preset in PRESETS:
        check_trained_for(preset, tmp_path)
    for text in ("[]", "{", '{"mixed_noise_levels": "yes"}'):
        (tmp_path / NOTES).write_text(text)
        with pytest.raises(AvatarError):
            check_trained_for(PRESETS[0], tmp_path)


def test_notes_tell_how_noise_is_renewed(tmp_path: Path) -> None:
    assert TrainingNotes.read(tmp_path) == TrainingNotes()
    (tmp_path / NOTES).write_text('{"mixed_noise_levels": true, "renewal": "own"}')
    assert TrainingNotes.read(tmp_path) == TrainingNotes(
        mixed_noise_levels=True, renewal=Renewal.OWN
    )
    (tmp_path / NOTES).write_text('{"renewal": "fresh"}')
    with pytest.raises(AvatarError, match="renewal is 'fresh', expected implied or own"):
        TrainingNotes.read(tmp_path)


@pytest.mark.slow
def test_the_large_decoder_may_be_chosen(models: Path, portrait: Picture) -> None:
    pictures = []
    for decoder in Decoder:
        preset = replace(PILE, decoder=decoder, shared_noise=0.3)
        engine = load_live_engine(live_settings(models, preset))
        stream = engine.open(engine.prepare(portrait, PortraitOptions(size=SIZE)), StreamOptions())
        units = stream.push(np.full(640 * 12, 0.1, np.float32)) + stream.flush()
        assert len(units) == 12
        pictures.append(units[5].picture)
    assert pictures[0].shape == pictures[1].shape
    assert not np.array_equal(pictures[0], pictures[1])


@pytest.fixture
def stock(models: Path, tmp_path: Path) -> LiveSettings:
    """Weights that say nothing about their training, as the published ones."""
    shutil.copytree(models, tmp_path / "models")
    (tmp_path / "models" / "v-express" / NOTES).unlink()
    return live_settings(tmp_path / "models", PILE)


@pytest.mark.slow
def test_they_may_be_forced(stock: LiveSettings) -> None:
    with pytest.raises(UntrainedError, match="pile shows frames of different noise levels"):
        load_live_engine(stock)
    load_live_engine(replace(stock, forced=True))


@pytest.mark.slow
def test_a_missing_decoder_is_named(stock: LiveSettings) -> None:
    shutil.rmtree(stock.model_folder / "taesd")
    with pytest.raises(CheckpointError, match=r"weights are missing: \S+taesd; get them by:"):
        load_live_engine(replace(stock, forced=True))
    ModelFiles.below(stock.model_folder).check()  # films need it not
    own = replace(stock, forced=True, preset=replace(stock.preset, decoder=Decoder.KL))
    load_live_engine(own)


@pytest.mark.slow
def test_an_unknown_backend_lists_the_known(stock: LiveSettings) -> None:
    with pytest.raises(AvatarError, match="eager"):
        load_live_engine(replace(stock, forced=True, backend="magic"))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [preset.name for preset in PRESETS])
def test_every_preset_speaks(models: Path, portrait: Picture, name: str) -> None:
    engine = load_live_engine(live_settings(models, choose_preset(name, SIZE)))
    avatar = engine.prepare(portrait, PortraitOptions(size=SIZE))
    stream = engine.open(avatar, StreamOptions())
    frames = 2 * stream.look_ahead_frames
    units = stream.push(np.full(640 * frames, 0.1, np.float32)) + stream.flush()
    assert [unit.frame_index for unit in units] == list(range(frames))
    assert stream.repaired_frames == 0


def test_whether_levels_are_mixed_follows_from_the_schedule() -> None:
    mixed = {preset.name for preset in PRESETS if preset.needs_mixed_levels}
    assert mixed == {"h100-512", "4090-384", "4090-512"}
    clean = Window(chunk_frames=4, history_frames=2, steps=2, clean_history=True)
    assert replace(PILE, schedule=clean).needs_mixed_levels
    assert not replace(PILE, schedule=replace(clean, clean_history=False)).needs_mixed_levels
