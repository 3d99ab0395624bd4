"""Whether a preset can be run with the weights that are there; found out without loading them."""

from pathlib import Path

from engine.vexpress.live.training_notes import check_trained_for
from engine.vexpress.model_files import TINY_VAE, ModelFiles
from engine.vexpress.presets import Decoder, Preset


def check_ready(preset: Preset, folder: Path, *, forced: bool = False) -> None:
    """Raise `CheckpointError` for files that are missing, `UntrainedError` for other training.

    A preset that is `forced` may show the weights what they were not trained for.
    """
    files = ModelFiles.below(folder)
    is_tiny = preset.decoder is Decoder.TINY
    files.check(*([folder / TINY_VAE] if is_tiny else []))
    if not forced:
        check_trained_for(preset, files.denoising_unet.parent)
