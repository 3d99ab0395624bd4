"""Make a film: `python inference.py --reference_image P --audio A --output O.mp4`."""

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from typer.exceptions import TyperException

from engine.api import AvatarError, Engine, Framing, StreamOptions
from engine.avatar_look import Look
from engine.avatar_store import DATA_FOLDER
from engine.config import TIMING
from engine.direction import Direction
from engine.offline import Job, Progress, Report, make_film
from engine.portrait_choice import choose_portrait
from engine.stage_directions import MouthFrom, Wishes, plan

BAD_INPUT, STOPPED = 2, 130  # exit codes
ENGINES = {"portrait": "engine.portrait.engine", "vexpress": "engine.vexpress.command"}
OWN_COMMANDS = ("vexpress",)  # engines with flags of their own

LoadEngine = Callable[[str, str], Engine]  # by name, for a device


def load_engine(name: str, device: str) -> Engine:
    """Load an engine by its name; its module is imported only now, since that takes seconds."""
    return cast("Engine", importlib.import_module(ENGINES[name]).load_engine(device))


def flag(name: str, meaning: str) -> Any:
    """Describe one flag, which is an environment variable as well."""
    variable = name.split("/", maxsplit=1)[0].removeprefix("--").upper()
    return typer.Option(name, envvar=f"VEXPRESS_{variable}", help=meaning)


def inference(  # noqa: PLR0913, PLR0917  the flags of the command line
    context: typer.Context,
    audio: Annotated[
        Path, flag("--audio", "What it says: WAV, MP3, FLAC, OGG/Opus or M4A of any length.")
    ],
    output: Annotated[Path, flag("--output", "The film, an .mp4.")],
    reference_image: Annotated[
        Path | None,
        flag("--reference_image", "The portrait: JPEG, PNG, WebP, BMP, or the name 'astronaut'."),
    ] = None,
    avatar: Annotated[
        str | None, flag("--avatar", "In its place: a name from `run_server.py avatars list`.")
    ] = None,
    data_dir: Annotated[Path, flag("--data_dir", "Where avatars are kept.")] = DATA_FOLDER,
    reference_video: Annotated[
        Path | None, flag("--reference_video", "A film whose head and upper face are followed.")
    ] = None,
    mouth_from: Annotated[
        MouthFrom, flag("--mouth_from", "audio, the mouth of the reference video, or a mix.")
    ] = MouthFrom.AUDIO,
    mouth_mix: Annotated[
        float, flag("--mouth_mix", "Of a mix: 0.0 is all audio, 1.0 all video.")
    ] = 0.5,
    own_video: Annotated[
        bool, flag("--own_video", "The film shows the portrait's person: follow it as it is.")
    ] = False,
    pose: Annotated[
        str | None, flag("--pose", "yaw,pitch,roll[,x,y,scale]: degrees, face widths, size.")
    ] = None,
    pose_file: Annotated[
        Path | None, flag("--pose_file", "Keyframes as JSON or CSV: see docs/direction.md.")
    ] = None,
    emotion: Annotated[str, flag("--emotion", "A name from engine/repertoire.toml.")] = "neutral",
    emotion_strength: Annotated[float, flag("--emotion_strength", "0.0 to 2.0.")] = 1.0,
    gesture: Annotated[
        list[str] | None, flag("--gesture", "name@seconds, such as nod@1.5; as often as wanted.")
    ] = None,
    mouth_strength: Annotated[float, flag("--mouth_strength", "Of the mouth, 0.0 to 2.0.")] = 1.0,
    brows_strength: Annotated[float, flag("--brows_strength", "Of the brows, 0.0 to 2.0.")] = 1.0,
    eyes_strength: Annotated[float, flag("--eyes_strength", "Of glances, 0.0 to 2.0.")] = 1.0,
    expression_strength: Annotated[
        float, flag("--expression_strength", "Scale of expressions, 0.0 to 2.0; 1.0 as learned.")
    ] = 1.0,
    size: Annotated[
        str | None,
        flag("--size", "512: side of the crop or longest side of the picture; or as 1280x720."),
    ] = None,
    framing: Annotated[
        Framing | None, flag("--framing", "crop: head and shoulders. full: the whole picture.")
    ] = None,
    background: Annotated[
        str | None, flag("--background", "keep, blur, chroma, a colour as #rrggbb, or a picture.")
    ] = None,
    fps: Annotated[
        int, flag("--fps", "Frames per second: 25, nothing else yet.")
    ] = TIMING.frame_rate_hz,
    engine: Annotated[str, flag("--engine", f"One of: {', '.join(ENGINES)}.")] = "portrait",
    device: Annotated[str, flag("--device", "Where the engine runs: auto or cpu.")] = "auto",
    seed: Annotated[int, flag("--seed", "Of blinks, gaze and head motion.")] = 0,
    badge: Annotated[
        bool, flag("--badge/--no-badge", 'Show the "AI avatar" badge in every frame.')
    ] = True,
    as_json: Annotated[bool, flag("--json", "End with one line of JSON numbers.")] = False,
) -> None:
    """Make a film of a portrait that speaks what the sound file says."""
    if fps != TIMING.frame_rate_hz:
        raise AvatarError(f"--fps {fps}: expected {TIMING.frame_rate_hz}, there is no other yet")
    if engine not in ENGINES:
        raise AvatarError(f"--engine {engine}: expected one of: {', '.join(ENGINES)}")
    if seed < 0:
        raise AvatarError(f"--seed {seed}: expected 0 or more")
    try:
        stream_options = StreamOptions(
            seed=seed, expression_strength=expression_strength, badge=badge
        )
        direction = Direction(
            emotion=emotion,
            emotion_strength=emotion_strength,
            mouth=mouth_strength,
            brows=brows_strength,
            eyes=eyes_strength,
        )
    except ValueError as error:
        raise AvatarError(str(error)) from error
    asked = Look(size=size, framing=framing, background=background)
    portrait, look = choose_portrait(reference_image, avatar, data_dir, asked)
    wishes = Wishes(
        pose=pose,
        pose_file=pose_file,
        gestures=gesture or (),
        reference_video=reference_video,
        own_video=own_video,
        mouth_from=mouth_from,
        mouth_mix=mouth_mix,
        direction=direction,
    )
    planned = plan(wishes)
    for note in planned.notes:
        warn(note)
    job = Job(
        portrait=portrait,
        sound=audio,
        target=output,
        portrait_options=look,
        stream_options=stream_options,
        direction=planned.direction,
        script=planned.script,
    )
    load = cast("LoadEngine", context.obj)
    with progress_bar() as bar:
        report = make_film(lambda: load(engine, device), job, shown_on(bar))
    tell(report, job, as_json=as_json)


def progress_bar() -> Bar:
    """Make a bar on stderr; where nobody watches it stays away."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[film_s]:.0f} s of film, {task.fields[speed]:.1f}x real time"),
        TimeRemainingColumn(),
    )
    return Bar(*columns, console=console, disable=not console.is_terminal)


def shown_on(bar: Bar) -> Callable[[Progress], None]:
    """Connect the progress of a film to a bar, which appears with the first frames."""

    def show(progress: Progress) -> None:
        if not bar.tasks:
            bar.add_task("rendering", film_s=0.0, speed=0.0)
        task = bar.tasks[0]
        film_s = progress.frames * TIMING.frame_s
        bar.update(
            task.id,
            total=progress.total_frames,
            completed=progress.frames,
            film_s=film_s,
            speed=film_s / task.elapsed if task.elapsed else 0.0,
        )

    return show


def tell(report: Report, job: Job, *, as_json: bool) -> None:
    """Print what came out: a sentence for people, or numbers for programs."""
    if report.silent:
        warn(f"{job.sound}: silent, expected speech; the portrait only idles")
    if report.damaged_packets:
        warn(f"{job.sound}: {report.damaged_packets} damaged packets were skipped")
    if as_json:
        numbers = {
            key: round(value, 3) if isinstance(value, float) else value
            for key, value in asdict(report).items()
        }
        print(json.dumps({"output": str(job.target)} | numbers))
    else:
        print(
            f"{job.target}: {report.seconds:.2f} s of film in {report.render_s:.2f} s "
            f"({report.realtime_factor:.1f}x real time)"
        )


def warn(message: str) -> None:
    """Print one line on stderr."""
    print(f"warning: {message}", file=sys.stderr)


def choose_command(arguments: Sequence[str]) -> Callable[..., None]:
    """Tell which command `--engine` asks for; an engine may have flags that no other has."""
    name = os.environ.get("VEXPRESS_ENGINE", "")
    for argument, following in pairwise([*arguments, ""]):
        if argument == "--engine" or argument.startswith("--engine="):
            name = argument.partition("=")[2] or following
    if name not in OWN_COMMANDS:
        return inference
    return cast("Callable[..., None]", importlib.import_module(ENGINES[name]).command)


def main(arguments: Sequence[str], load: LoadEngine = load_engine) -> int:
    """Run the command line; return its exit code. Mistakes cost one line and code 2."""
    app = typer.Typer(add_completion=False)
    try:
        app.command()(choose_command(arguments))
        command = typer.main.get_command(app)
        code = command.main(list(arguments), "inference.py", standalone_mode=False, obj=load) or 0
        if code == STOPPED:  # typer's answer to Ctrl-C
            print("stopped", file=sys.stderr)
        return code
    except AvatarError as error:
        print(f"error: {error}", file=sys.stderr)
    except TyperException as error:
        print(f"error: {error.format_message()}", file=sys.stderr)
    return BAD_INPUT


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # being ended cleans up like Ctrl-C
    sys.exit(main(sys.argv[1:]))
