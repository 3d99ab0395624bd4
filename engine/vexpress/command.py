"""`python inference.py --engine vexpress`: a film by the published model, offline."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engine.api import AvatarError
from engine.vexpress.choices import (
    after_use,
    check_fit,
    choose_device,
    choose_files,
    choose_type,
    read_job,
)
from engine.vexpress.flags import Flags, as_command
from engine.vexpress.model_files import open_networks, read_model_config
from engine.vexpress.pipeline import Show
from engine.vexpress.plan import PlannedClip, clip_bytes, describe, plan_stages
from engine.vexpress.production import ClipJob, ClipReport, make_clip, measure_sound
from engine.vexpress.scheduler import NoiseConfig, Scheduler
from engine.vexpress.weights import LICENCE_NOTICE


class DeviceFullError(AvatarError):
    """The device has not enough memory for the clip."""


def run(flags: Flags) -> None:
    """Make a film of a portrait that speaks what the sound file says, by the published model."""
    job, config = read_job(flags), read_model_config(flags.model_config, flags.unet_config)
    scheduler = Scheduler(NoiseConfig(schedule=flags.beta_schedule))
    check_fit(job, config, scheduler)
    device, put_away = choose_device(flags.device, flags.gpu_id), after_use(flags)
    dtype = choose_type(flags.dtype, device)
    if flags.plan:
        clip, samples = measure_sound(job)
        planned = PlannedClip(
            config=config, frames=clip.frames, samples=samples, job=job, dtype=dtype
        )
        typer.echo("\n".join(describe(plan_stages(planned), clip_bytes(planned))))
        return
    files = choose_files(flags)
    files.check()
    typer.echo(LICENCE_NOTICE, err=True)
    networks = open_networks(files, config, dtype, device, put_away)
    try:
        with progress() as show:
            report = make_clip(networks, scheduler, job, show)
    except RuntimeError as error:
        if not _is_full(error):
            raise
        raise DeviceFullError(
            f"{device}: out of memory; expected less to do, by --save_memory, --size, "
            "--context_frames or --vae_frames_per_call"
        ) from error
    tell(report, job, as_json=flags.as_json)


command = as_command(run)


@contextmanager
def progress() -> Iterator[Show]:
    """A bar for each stage on stderr; where nobody watches they stay away."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield show


def _is_full(error: RuntimeError) -> bool:
    """Whether memory ran out; of the CPU's PyTorch only says so in words."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def tell(report: ClipReport, job: ClipJob, *, as_json: bool) -> None:
    """Print what came out: a sentence for people, or numbers for programs."""
    if as_json:
        numbers = {
            key: round(value, 3) if isinstance(value, float) else value
            for key, value in asdict(report).items()
        }
        typer.echo(json.dumps({"output": str(job.target)} | numbers))
        return
    spent_s = report.prepare_s + report.sample_s + report.finish_s
    held = [
        f"{mib:.0f} MiB of {kind} memory"
        for kind, mib in (("main", report.peak_rss_mb), ("device", report.peak_device_mb))
        if mib is not None
    ]
    typer.echo(
        f"{job.target}: {report.seconds:.2f} s of film in {spent_s:.1f} s; "
        f"at most {' and '.join(held) or 'unknown memory'}"
    )
