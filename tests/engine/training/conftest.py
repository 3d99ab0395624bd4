import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.portrait.geometry import Canonical
from engine.portrait.landmarks import POINTS

SIDE = 256
LOWER_LIP = (87, 14, 317)


@pytest.fixture(scope="session")
def landmarks() -> Callable[[np.ndarray], np.ndarray]:
    """Landmarks [frames, 478, 3] of the canonical face, lower lip lowered by openings [frames]."""
    points = Canonical.load().points

    def project(openings: np.ndarray) -> np.ndarray:
        face = np.repeat(points[None], len(openings), 0)
        face[:, LOWER_LIP, 1] -= openings[:, None]
        face[..., 2] -= 30.0
        focal = SIDE / 2 / np.tan(np.radians(63.0) / 2)
        seen = np.zeros((len(openings), POINTS, 3))
        seen[:, :468, 0] = SIDE / 2 + focal * face[..., 0] / -face[..., 2]
        seen[:, :468, 1] = SIDE / 2 - focal * face[..., 1] / -face[..., 2]
        seen[:, :468, 2] = -(face[..., 2] + 30.0) * focal / 30.0
        return seen

    return project


@pytest.fixture
def corpus(tmp_path: Path, landmarks: Callable[[np.ndarray], np.ndarray]) -> Path:
    """Two people of 4 s for training, one for measuring; loudness follows the true opening."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    clips = []
    for number, (name, role, lag) in enumerate(
        [("anna", "ship", 0), ("bert", "ship", 2), ("carl", "eval", -1)]
    ):
        random = np.random.default_rng(number)
        wave = np.maximum(np.sin(np.arange(110) * (0.5 + 0.1 * number)), 0)
        mouth, loud = 0.8 * wave[5 - lag : 105 - lag], wave[5:105]
        steps = np.round(landmarks(mouth) * 32).astype(np.int32)
        delta = np.diff(steps, axis=0, prepend=0).astype(np.int16)
        np.savez(folder / f"{name}.npz", landmarks_delta=delta, present=np.ones(100, bool))
        sound = np.repeat(loud, 640) * random.normal(0, 0.1, 64000)
        soundfile.write(folder / f"{name}.flac", sound, 16000)
        clips.append(clip_entry(name, role, lag))
    (folder / "index.json").write_text(json.dumps({"clips": clips}))
    return folder


def clip_entry(name: str, role: str, lag: int) -> dict[str, Any]:
    return {
        "name": name, "role": role, "identity": name, "kind": "real", "seconds": 4.0,
        "frames": 100, "video_px": SIDE, "av_lag": lag,
        "phones": [["SIL", 0.0, 1.0], ["AA", 1.0, 1.5]] if name == "anna" else [],
    }  # fmt: skip
