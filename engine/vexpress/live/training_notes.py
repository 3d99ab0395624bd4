"""What weights were trained for, as a small file beside them says."""

import json
from pathlib import Path

from engine.api import AvatarError
from engine.vexpress.presets import PRESETS, Preset

NOTES = "training.json"  # {"mixed_noise_levels": true, "steps": [4]}


class UntrainedError(AvatarError):
    """A preset that the weights were not trained for."""


def check_trained_for(preset: Preset, folder: Path) -> None:
    """Raise `UntrainedError` where `preset` shows frames of different noise levels together.

    Published weights have only ever seen frames that are equally noisy; a pile of frames at a few
    levels far apart is outside of all they know. Weights that were trained for it say so in
    `training.json` beside them.
    """
    if not preset.needs_mixed_levels or _mixed_levels(folder / NOTES):
        return
    others = [other.name for other in PRESETS if not other.needs_mixed_levels]
    raise UntrainedError(
        f"preset {preset.name} shows frames of different noise levels together, and the weights in "
        f"{folder} were not trained for that ({NOTES} there does not say so): expected "
        f"{' or '.join(others)}, or --force-schedule to see what comes out"
    )


def _mixed_levels(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AvatarError(f"{path}: not readable ({error})") from error
    if not isinstance(notes, dict):
        raise AvatarError(f"{path}: expected a JSON object")
    told = notes.get("mixed_noise_levels", False)
    if not isinstance(told, bool):
        raise AvatarError(f"{path}: mixed_noise_levels is {told!r}, expected true or false")
    return told
