"""What the server says about this engine, made into settings of their own kinds."""

from dataclasses import dataclass
from pathlib import Path

from engine.stream.backends import AttentionKind, Backend, choose, choose_attention
from engine.stream.machine import this_machine
from engine.vexpress.choices import choose_device, choose_type
from engine.vexpress.flags import NumberType
from engine.vexpress.live.loading import LiveSettings
from engine.vexpress.live.readiness import check_ready
from engine.vexpress.model_files import DEFAULT_FOLDER, read_model_config
from engine.vexpress.presets import Decoder, choose_preset


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingFlags:
    """The flags of `run_server.py --engine vexpress`, as they were given."""

    preset: str
    size: int | None = None  # in place of the preset's
    decoder: str | None = None  # likewise
    model_dir: Path = DEFAULT_FOLDER
    model_config: Path | None = None
    device: str = "auto"
    dtype: str = NumberType.AUTO
    backend: str = Backend.AUTO
    attention: str = AttentionKind.SDPA
    force_schedule: bool = False


def read_settings(flags: ServingFlags) -> LiveSettings:
    """Check all that can be checked before anything is loaded. Raises `AvatarError`."""
    decoder = None if flags.decoder is None else Decoder(flags.decoder)
    device, preset = (
        choose_device(flags.device, 0),
        choose_preset(flags.preset, flags.size, decoder),
    )
    machine = this_machine()
    choose(flags.backend, machine if device.type == "cuda" else machine.without_gpu())
    choose_attention(flags.attention, machine)
    check_ready(preset, flags.model_dir, forced=flags.force_schedule)
    return LiveSettings(
        preset=preset,
        config=read_model_config(flags.model_config, None),
        model_folder=flags.model_dir,
        device=device,
        dtype=choose_type(NumberType(flags.dtype), device),
        backend=flags.backend,
        attention=flags.attention,
        forced=flags.force_schedule,
    )
