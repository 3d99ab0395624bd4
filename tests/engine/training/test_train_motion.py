from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.portrait.mel import BANDS, MelStream
from engine.portrait.motion import LOOK_AHEAD_FRAMES, MotionModel, MouthNetwork
from engine.training.corpus import TalkingClip
from engine.training.motion import Plan, Sampler, clip_shares, save, train
from engine.training.programmes import Programme

SCALE = np.full(9, 0.2, np.float32)
PLAN = Plan(steps=24, rounds=2, real_crops=4, synthetic_crops=4, dropout=0.0)


def beats(seed: int) -> Programme:
    """Noise bursts; the mouth opens with each."""
    random = np.random.default_rng(seed)
    beat = (np.sin(np.arange(400) * 0.4) > 0).astype(np.float32)
    sound = np.repeat(beat, 640) * random.normal(0, 0.1, 400 * 640) + random.normal(0, 1e-4, 256000)
    features = MelStream().push(sound.astype(np.float32)).features.astype(np.float16)
    return Programme(
        features, beat[:, None] * np.full(9, 0.4, np.float32), np.ones(400, np.float32)
    )


def rounds() -> Iterator[tuple[Sampler, Sampler]]:
    for number in range(PLAN.rounds):
        generator = np.random.default_rng(number)
        yield Sampler([beats(0)], generator), Sampler([beats(1)], generator)


def trained() -> tuple[MouthNetwork, list[float]]:
    losses: list[float] = []
    network = train(PLAN, rounds(), SCALE, lambda _, loss: losses.append(loss))
    return network, losses


def test_crops_are_in_step() -> None:
    one = beats(0)
    features, mouth, known = Sampler([one], np.random.default_rng(0)).draw(3)
    assert features.shape == (3, 4 * (mouth.shape[1] + LOOK_AHEAD_FRAMES), BANDS)
    assert mouth.shape[:2] == known.shape
    level = features.mean(-1).reshape(3, -1, 4).mean(-1)[:, :-LOOK_AHEAD_FRAMES]
    for crop in range(3):
        together = torch.stack([level[crop], mouth[crop, :, 0]])
        assert torch.corrcoef(together)[0, 1] > 0.8


@pytest.mark.slow
def test_training_learns_and_repeats_itself() -> None:
    torch.set_num_threads(1)
    network, losses = trained()
    assert len(losses) == PLAN.steps
    assert np.mean(losses[-4:]) < 0.6 * np.mean(losses[:4])
    again, _ = trained()
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_saved_weights_load_and_nothing_else_is_left(tmp_path: Path) -> None:
    save(MouthNetwork(), tmp_path / "motion.safetensors")
    MotionModel.load(tmp_path / "motion.safetensors")
    assert [file.name for file in tmp_path.iterdir()] == ["motion.safetensors"]


def test_a_person_counts_by_the_root_of_their_minutes() -> None:
    def clip(identity: str, frames: int) -> TalkingClip:
        sound, mouth = np.zeros(640 * frames, np.float32), np.zeros((frames, 9), np.float32)
        return TalkingClip("name", identity, "real", sound, mouth)

    shares = clip_shares([clip("much", 800), clip("much", 800), clip("little", 100)])
    assert shares[0] + shares[1] == pytest.approx(4 * shares[2])
