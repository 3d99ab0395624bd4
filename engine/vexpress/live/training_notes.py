"""What weights were trained for, as a small file beside them says."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from engine.api import AvatarError
from engine.stream.solver import Renewal
from engine.vexpress.presets import PRESETS, Preset

NOTES = "training.json"  # {"mixed_noise_levels": true, "renewal": "own"}


class UntrainedError(AvatarError):
    """A preset that the weights were not trained for."""


@dataclass(frozen=True, slots=True)
class TrainingNotes:
    """What is known about weights; nothing is said of the published ones."""

    mixed_noise_levels: bool = False  # frames of different levels were seen together
    renewal: Renewal = (
        Renewal.IMPLIED
    )  # `own` for weights that were distilled as consistency models

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The notes beside the weights in `folder`, if there are any. Raises `AvatarError`."""
        path = folder / NOTES
        notes = _read_object(path) if path.is_file() else {}
        mixed = notes.get("mixed_noise_levels", False)
        if not isinstance(mixed, bool):
            raise AvatarError(f"{path}: mixed_noise_levels is {mixed!r}, expected true or false")
        renewal = notes.get("renewal", Renewal.IMPLIED)
        if renewal not in list(Renewal):
            known = " or ".join(Renewal)
            raise AvatarError(f"{path}: renewal is {renewal!r}, expected {known}")
        return cls(mixed, Renewal(renewal))


def check_trained_for(preset: Preset, folder: Path) -> None:
    """Raise `UntrainedError` where `preset` shows frames of different noise levels together.

    Published weights have only ever seen frames that are equally noisy; a pile of frames at a few
    levels far apart is outside of all they know. Weights that were trained for it say so in
    `training.json` beside them.
    """
    if TrainingNotes.read(folder).mixed_noise_levels or not preset.needs_mixed_levels:
        return
    others = [other.name for other in PRESETS if not other.needs_mixed_levels]
    raise UntrainedError(
        f"preset {preset.name} shows frames of different noise levels together, and the weights in "
        f"{folder} were not trained for that ({NOTES} there does not say so): expected "
        f"{' or '.join(others)}, or --force-schedule to see what comes out"
    )


def _read_object(path: Path) -> dict[str, Any]:
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AvatarError(f"{path}: not readable ({error})") from error
    if not isinstance(notes, dict):
        raise AvatarError(f"{path}: expected a JSON object")
    return notes
