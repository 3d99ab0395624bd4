"""Start the avatar server: `python run_server.py`, then open the address that it prints.

`python run_server.py doctor` says what this machine can do, `python run_server.py avatars` keeps
portraits under names.
"""

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option

from engine.api import KEEP, AvatarError, Engine, Framing, Picture
from engine.avatar_store import DATA_FOLDER
from engine.direction import MAX_STRENGTH
from engine.looks import portrait_options, read_background, read_size
from engine.picture import read_picture, read_picture_file
from engine.portraits import bundled_portraits
from streamer.engine_source import EngineSource
from streamer.hosts import own_names
from streamer.ice import IceSettings, port_range, read_secret
from streamer.lease import LeaseTerms
from streamer.logs import LogFormat, set_up_logging
from streamer.remote.process import ChildLog
from streamer.serve import Address, run
from streamer.service import EngineParts, ServiceSettings
from streamer.sessions import SessionRules
from streamer.stamped import loading_stamped
from streamer.studio import Crew
from streamer.tokens import read_tokens
from streamer.web_settings import WebSettings

Device = StrEnum("Device", ["AUTO", "CPU", "CUDA"])
Kind = StrEnum("Kind", ["PORTRAIT", "VEXPRESS"])
Decoder = StrEnum("Decoder", ["TINY", "KL"])
NumberType = StrEnum("NumberType", ["AUTO", "FP16", "BF16", "FP32"])
Level = StrEnum("Level", ["DEBUG", "INFO", "WARNING", "ERROR"])
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
COMMANDS = {"doctor": "engine.doctor", "avatars": "engine.avatar_commands"}
DEFAULT_SIZE = "512"
MODEL_FOLDER = Path("model_ckpts")


@dataclass(frozen=True, slots=True)
class Loading:
    """How an engine is made, and the size of its frames as people write it."""

    load: Callable[[], Engine]
    size: str


def portrait_loading(device: Device, size: str | None) -> Loading:
    """The embedded default."""

    source = EngineSource("engine.portrait.engine", "load_engine", (device.value,))
    return Loading(source, DEFAULT_SIZE if size is None else size)


def vexpress_loading(size: str | None, **flags: Any) -> Loading:
    """The big model. Its modules are imported only now, since that takes seconds."""
    side, height = (None, None) if size is None else read_size(size)
    if height is not None:
        raise AvatarError(f"--size {size}: V-Express generates squares, expected one number")
    serving = import_module("engine.vexpress.live.serving")
    settings = serving.read_settings(serving.ServingFlags(size=side, **flags))
    typer.echo(import_module("engine.vexpress.weights").LICENCE_NOTICE, err=True)
    source = EngineSource("engine.vexpress.live.loading", "load_live_engine", (settings,))
    return Loading(source, str(settings.preset.size))


def engine_parts(kind: Kind, loading: Loading, avatar: Path | None) -> EngineParts:
    """Tell the server how to make its engine and whom to show first. Loads nothing yet."""

    def portraits() -> dict[str, Picture]:
        chosen = {avatar.stem: read_picture_file(avatar)} if avatar else {}
        return {**chosen, **bundled_portraits()}

    return EngineParts(name=kind, load=loading.load, read_picture=read_picture, portraits=portraits)


@app.command(help=__doc__)
def serve(  # noqa: PLR0913, PLR0917  one parameter per flag is how typer works
    host: Annotated[str, Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65_535, help="0 takes any free port.")] = 8010,
    avatar: Annotated[Path | None, Option(help="Picture of the default avatar.")] = None,
    engine: Annotated[Kind, Option(help="Which engine paints.")] = Kind.PORTRAIT,
    device: Annotated[Device, Option(help="Where it computes.")] = Device.AUTO,
    size: Annotated[
        str | None, Option(help="Pixels, even, or WIDTHxHEIGHT; 512, or the preset's.")
    ] = None,
    framing: Annotated[Framing, Option(help="Head, or full picture.")] = Framing.CROP,
    background: Annotated[str, Option(help="keep, blur, chroma, #rrggbb, or a picture.")] = KEEP,
    max_sessions: Annotated[int, Option(min=1, max=100, help="Visitors at a time.")] = 4,
    admit_by_cost: Annotated[bool, Option(help="Refuse whom the machine has no time for.")] = True,
    session_limit: Annotated[
        float, Option(min=0, help="Minutes that a visitor may stay; 0 for any time.")
    ] = 0,
    away_limit: Annotated[
        float, Option(min=1, max=3600, help="Seconds that a lost visitor has to come back.")
    ] = 15,
    drain: Annotated[
        float, Option(min=0, max=3600, help="Seconds that visitors get after SIGTERM.")
    ] = 30,
    badge: Annotated[bool, Option(help="Show the AI avatar badge.")] = True,
    seed: Annotated[int | None, Option(help="Of idle motion; random if left out.")] = None,
    expression_strength: Annotated[float, Option(min=0, max=MAX_STRENGTH)] = 1.0,
    stun: Annotated[list[str] | None, Option(help="STUN server, as stun:host:port.")] = None,
    turn: Annotated[
        list[str] | None, Option(help="TURN server, as turn:host:port?transport=udp.")
    ] = None,
    turn_secret_file: Annotated[
        Path | None, Option(help="File with the secret shared with the TURN server.")
    ] = None,
    udp_ports: Annotated[str | None, Option(help="For media, as 50000-50100.")] = None,
    tokens_file: Annotated[
        Path | None, Option(help="Who may do what, TOML or JSON; see streamer.tokens.")
    ] = None,
    cors_origin: Annotated[
        list[str] | None, Option(help="Origin of other pages that may use this server.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None, Option(help="Name of this server, beside localhost; * for any.")
    ] = None,
    trust_proxy: Annotated[bool, Option(help="Believe X-Forwarded-For.")] = False,
    relay_only: Annotated[bool, Option(help="Media through TURN only.")] = False,
    preset: Annotated[str, Option(help="vexpress: how it is run.")] = "stock",
    decoder: Annotated[
        Decoder | None, Option(help="vexpress: tiny, or kl for quality; the preset's.")
    ] = None,
    model_dir: Annotated[Path, Option(help="vexpress: where the weights are.")] = MODEL_FOLDER,
    model_config: Annotated[Path | None, Option(help="vexpress: JSON of other sizes.")] = None,
    dtype: Annotated[NumberType, Option(help="vexpress: how it counts.")] = NumberType.AUTO,
    backend: Annotated[str, Option(help="vexpress: what runs it; see doctor.")] = "auto",
    attention: Annotated[str, Option(help="vexpress: sdpa or xformers.")] = "sdpa",
    force_schedule: Annotated[
        bool, Option(help="vexpress: a preset that the weights were not trained for.")
    ] = False,
    data_dir: Annotated[Path, Option(help="For uploads and certificate.")] = DATA_FOLDER,
    ssl_self_signed: Annotated[bool, Option(help="Serve https.")] = False,
    workers: Annotated[
        int, Option(min=0, max=16, help="Engine processes; 0 computes in the server's own.")
    ] = 1,
    log_level: Annotated[Level, Option(help="What the log tells.")] = Level.WARNING,
    barge_in: Annotated[bool, Option(help="Who speaks up interrupts what is read out.")] = False,
    benchmark: Annotated[bool, Option("--benchmark", hidden=True)] = False,
    timecode: Annotated[bool, Option("--timecode", hidden=True)] = False,
    log_format: Annotated[LogFormat, Option(help="For people, or for programs.")] = LogFormat.TEXT,
) -> None:
    """Flags to engine to server."""
    set_up_logging(log_level, log_format)
    try:
        loading = (
            portrait_loading(device, size)
            if engine is Kind.PORTRAIT
            else vexpress_loading(
                preset=preset,
                size=size,
                decoder=decoder,
                model_dir=model_dir,
                model_config=model_config,
                device=device,
                dtype=dtype,
                backend=backend,
                attention=attention,
                force_schedule=force_schedule,
            )
        )
        if timecode:
            stamped = loading_stamped(loading.load, is_benchmark=benchmark)
            loading = Loading(stamped, loading.size)
        settings = ServiceSettings(
            data_folder=data_dir.expanduser(),
            portrait=portrait_options(loading.size, framing, read_background(background)),
            sessions=SessionRules(
                max_sessions=max_sessions,
                barge_in=barge_in,
                by_cost=admit_by_cost,
                terms=LeaseTerms(
                    away_s=away_limit,
                    limit_s=session_limit * 60 if session_limit else math.inf,
                ),
            ),
            drain_s=drain,
            badge=badge,
            seed=seed,
            expression_strength=expression_strength,
            crew=Crew(processes=workers, log=ChildLog(log_level.value, log_format.value)),
            web=WebSettings(
                tokens=read_tokens(tokens_file, os.environ),
                cors_origins=tuple(cors_origin or ()),
                host_names=own_names(host, allowed_host or ()),
                trust_proxy=trust_proxy,
            ),
            ice=IceSettings(
                stun=tuple(stun or ()),
                turn=tuple(turn or ()),
                turn_secret=read_secret(turn_secret_file),
                udp_ports=port_range(udp_ports) if udp_ports else None,
                relay_only=relay_only,
            ),
        )
        address = Address(host=host, port=port, self_signed=ssl_self_signed)
        parts = engine_parts(engine, loading, avatar)
        run(address, settings, parts, lambda url: typer.echo(f"vexpress-live ready at {url}"))
    except (AvatarError, ValueError) as error:
        typer.echo(f"run_server.py: {error}", err=True)
        raise typer.Exit(2) from error


def main(arguments: list[str]) -> None:
    """Serve, or answer another command; it is loaded only when asked for."""
    if arguments and arguments[0] in COMMANDS:
        command = import_module(COMMANDS[arguments[0]])
        command.app(arguments[1:], prog_name=f"run_server.py {arguments[0]}")
    else:
        app(arguments, auto_envvar_prefix="VEXPRESS")


if __name__ == "__main__":
    main(sys.argv[1:])
