import json
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.portrait.motion import MotionModel
from engine.portrait.motion_denoiser import MotionNetwork
from engine.training.corpus import TalkingClip
from engine.training.denoising import DenoiserPlan
from engine.training.foretelling import Mixture, MouthPlan
from engine.training.loop import Log, Pace
from engine.training.motion import Material, Plan, save, train_motion, write_log
from engine.training.visemes import VisemeTable

LITTLE = Mixture(rounds=1, real_minutes=0.4, synthetic_minutes=0.4, real_crops=1, synthetic_crops=1)
SMALL = Plan(
    mouth=MouthPlan(pace=Pace(steps=2)),
    denoiser=DenoiserPlan(pace=Pace(steps=2), windows=1),
    mixture=LITTLE,
    windows=LITTLE,
)


def test_saved_weights_load_and_nothing_else_is_left(tmp_path: Path) -> None:
    save(MotionNetwork(), tmp_path / "motion.safetensors")
    MotionModel.load(tmp_path / "motion.safetensors")
    assert [file.name for file in tmp_path.iterdir()] == ["motion.safetensors"]


def test_a_log_has_curves_and_tells_time_and_machine(tmp_path: Path) -> None:
    logs = [Log("mouth", [3.0, 2.0, 1.0], 4.2), Log("denoiser", [2.0] * 40, 7.0)]
    write_log(SMALL, logs, tmp_path)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads((tmp_path / "log.json").read_text())
    assert told["seconds"] == {"mouth": 4, "denoiser": 7}
    assert told["last_loss"]["mouth"] == 2.0
    assert told["machine"]


def test_a_seed_reaches_both_parts() -> None:
    plan = SMALL.with_seed(7)
    assert plan.mouth.pace == Pace(steps=2, seed=7)
    assert plan.denoiser.pace.seed == 7


@pytest.mark.slow
def test_the_whole_training_from_clips_to_weights(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader", reason="needs the training extra")
    chance, scale = np.random.default_rng(0), np.full(9, 0.2, np.float32)
    sound = chance.normal(0, 0.1, 100 * 640).astype(np.float32)
    mouth = chance.normal(0, 0.2, (100, 9)).astype(np.float32)
    clip = TalkingClip("anna", "anna", "real", sound, mouth)
    material = Material([clip], VisemeTable.fit([], scale), {}, scale)
    (tmp_path / "other").mkdir()
    network, logs = train_motion(SMALL, material, tmp_path)
    assert [len(log.losses) for log in logs] == [2, 2]
    torch.testing.assert_close(network.spread, torch.from_numpy(material.scale))
    kept, _ = train_motion(SMALL, material, tmp_path / "other", network.mouth)
    assert kept.mouth is network.mouth
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    again, _ = train_motion(SMALL, material, tmp_path)  # from its checkpoints
    for name, value in again.state_dict().items():
        assert torch.equal(weights[name], value)
