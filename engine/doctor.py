"""What this machine can do and, where it cannot, why not: `python run_server.py doctor`."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated

import av
import typer
from rich.console import Console
from rich.table import Column, Table
from typer import Option

from engine.api import AvatarError
from engine.stream.backends import (
    Availability,
    Backend,
    Choice,
    Machine,
    choose,
    survey_attention,
    survey_backends,
)
from engine.stream.machine import this_machine
from engine.vexpress.checkpoints import CheckpointError
from engine.vexpress.live.readiness import check_ready
from engine.vexpress.model_files import DEFAULT_FOLDER, FETCH, TINY_VAE, ModelFiles
from engine.vexpress.presets import PRESETS, Preset

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
_ENCODERS = {
    "libvpx": "VP8, live video",
    "libx264": "H.264, live video and films",
    "libopus": "Opus, live sound",
    "aac": "AAC, films",
}
_GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Everything that the doctor looks at."""

    python: str
    memory_bytes: int | None  # none: this system does not say
    machine: Machine
    automatic: Choice  # what `auto` means here
    backends: tuple[Availability, ...]
    attention: tuple[Availability, ...]
    encoders: tuple[Availability, ...]
    weights: tuple[Availability, ...]
    presets: tuple[Availability, ...]  # of the V-Express engine, live, with those weights


def examine(machine: Machine, weights: Path) -> Diagnosis:
    """Look at everything; `weights` is the folder of the published V-Express files."""
    return Diagnosis(
        python=platform.python_version(),
        memory_bytes=_memory_bytes(),
        machine=machine,
        automatic=choose(Backend.AUTO, machine),
        backends=survey_backends(machine),
        attention=survey_attention(machine),
        encoders=tuple(_judge_encoder(name, use) for name, use in _ENCODERS.items()),
        weights=judge_weights(weights),
        presets=tuple(_judge_preset(preset, weights) for preset in PRESETS),
    )


def judge_weights(folder: Path) -> tuple[Availability, ...]:
    """Whether there is a `folder`, and which of the published files are in it."""
    files = ModelFiles.below(folder)
    named = [(field.name, getattr(files, field.name)) for field in fields(files)]
    named.append(("tiny_vae", folder / TINY_VAE))
    files_found = (_judge_path(name, path) for name, path in named if path is not None)
    return (_judge_path("folder", folder), *files_found)


@app.command(help=__doc__)
def doctor(
    as_json: Annotated[bool, Option("--json", help="Print one JSON object.")] = False,
    weights: Annotated[Path, Option(help="Folder of V-Express weights.")] = DEFAULT_FOLDER,
) -> None:
    """Print what was found."""
    found = examine(this_machine(), weights)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    console = Console()
    console.print(_table_of_machine(found))
    console.print(_table_of(found))
    console.print(f"The backend `auto` is {found.automatic.name}: {found.automatic.reason}.")
    if not all(item.available for item in found.weights):
        console.print(f"V-Express weights are fetched by: {FETCH}")


def _table_of_machine(found: Diagnosis) -> Table:
    machine, table = found.machine, Table(show_header=False)
    gpu = machine.gpu
    for name, value in (
        ("Python", found.python),
        ("memory", _gib(found.memory_bytes)),
        ("PyTorch", machine.torch_version),
        ("CUDA", machine.cuda_version or "PyTorch is built without it"),
        ("GPU", "none" if gpu is None else f"{gpu.name}, {_gib(gpu.memory_bytes)}"),
        ("C++ compiler", machine.compiler or "none"),
        ("triton", machine.triton_version or "not installed"),
        ("torch-tensorrt", machine.torch_tensorrt_version or "not installed"),
        ("xformers", machine.xformers_version or "not installed"),
    ):
        table.add_row(name, value)
    return table


def _table_of(found: Diagnosis) -> Table:
    table = Table("kind", "name", "here", Column("what or why not", overflow="fold"))
    _add(table, "backend", found.backends)
    _add(table, "attention", found.attention)
    _add(table, "encoder", found.encoders)
    _add(table, "weights", found.weights)
    _add(table, "preset", found.presets)
    return table


def _add(table: Table, kind: str, items: Iterable[Availability]) -> None:
    for item in items:
        table.add_row(kind, item.name, "yes" if item.available else "no", item.reason)
    table.add_section()


def _judge_encoder(name: str, use: str) -> Availability:
    try:
        av.Codec(name, "w")
    except ValueError:  # PyAV's UnknownCodecError
        return Availability(name, False, f"this PyAV has no encoder for {use}")
    return Availability(name, True, use)


def _judge_path(name: str, path: Path) -> Availability:
    there = path.exists()
    return Availability(name, there, f"{'found' if there else 'missing'}: {path}")


def _judge_preset(preset: Preset, folder: Path) -> Availability:
    use = f"{preset.size}x{preset.size}, for {preset.meant_for}"
    try:
        check_ready(preset, folder)
    except CheckpointError:
        return Availability(preset.name, False, f"{use}; weights are missing")
    except AvatarError as error:
        return Availability(preset.name, False, f"{use}; {error}")
    return Availability(preset.name, True, use)


def _memory_bytes() -> int | None:
    if not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _gib(size_bytes: int | None) -> str:
    return "unknown" if size_bytes is None else f"{size_bytes / _GIB:.1f} GiB"
