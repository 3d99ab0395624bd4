"""Talk to a running avatar server: `python -m streamer.client say speech.wav --out out.mp4`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from typer import Argument, Option

from engine.api import MAX_SIZE, MIN_SIZE, AvatarError
from streamer.client.calls import Server
from streamer.client.film import say_to_film
from streamer.client.talk import Wish

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
Url = Annotated[str, Option("--server", envvar="VEXPRESS_SERVER", help="Its address.")]
Token = Annotated[
    str | None, Option(envvar="VEXPRESS_TOKEN", help="Its bearer token, if it wants one.")
]
Avatar = Annotated[str | None, Option(help="Name or id; the server's default if left out.")]
Speech = Annotated[Path, Argument(help="A sound file: WAV, MP3, FLAC, OGG/Opus or M4A.")]
Out = Annotated[Path, Option(help="The film to write.")]
Size = Annotated[int | None, Option(min=MIN_SIZE, max=MAX_SIZE, help="Longest side, pixels.")]
DEFAULT_URL = "http://127.0.0.1:8010"


@dataclass(frozen=True, slots=True)
class _Request:
    server: Server
    avatar: str | None
    speech: Path
    out: Path
    size: int | None


@app.callback(help=__doc__)
def main() -> None:
    """Commands only."""


@app.command()
def say(
    speech: Speech,
    out: Out = Path("out.mp4"),
    server: Url = DEFAULT_URL,
    avatar: Avatar = None,
    token: Token = None,
    size: Size = None,
) -> None:
    """Let a portrait say a sound file, as fast as the server can; write a film."""
    _film(_Request(Server(url=server, token=token), avatar, speech, out, size), "fast")


@app.command()
def live(
    speech: Speech,
    out: Out = Path("out.mp4"),
    server: Url = DEFAULT_URL,
    avatar: Avatar = None,
    token: Token = None,
    size: Size = None,
) -> None:
    """Let a portrait say a sound file in real time, as a visitor would see it; write a film."""
    _film(_Request(Server(url=server, token=token), avatar, speech, out, size), "realtime")


@app.command()
def avatars(server: Url = DEFAULT_URL, token: Token = None) -> None:
    """List the portraits that a server offers."""
    try:
        listed = Server(url=server, token=token).get("/v1/avatars")
    except AvatarError as error:
        _fail(error)
    for entry in listed["avatars"]:
        mark = "*" if entry["id"] == listed["default"] else " "
        typer.echo(f"{mark} {entry['id']}  {entry['width']}x{entry['height']}  {entry['name']}")


@app.command()
def status(server: Url = DEFAULT_URL, token: Token = None) -> None:
    """Tell whether a server takes visitors, and what it is."""
    there = Server(url=server, token=token)
    try:
        config = there.get("/v1/config")
        there.get("/readyz")
    except AvatarError as error:
        _fail(error)
    typer.echo(json.dumps({"ready": True, **config}, indent=2))


def _film(request: _Request, pace: Literal["fast", "realtime"]) -> None:
    try:
        wish = Wish(avatar=_found(request.server, request.avatar), size=request.size, pace=pace)
        report = say_to_film(request.server, wish, request.speech, request.out)
    except AvatarError as error:
        _fail(error)
    left_out = f", {report.dropped_pictures} pictures left out" if report.dropped_pictures else ""
    typer.echo(f"{request.out}: {report.duration_s:.2f} s, {report.frames} frames{left_out}")


def _found(server: Server, avatar: str | None) -> str | None:
    """The id of an avatar that was named; an id is left as it is."""
    if avatar is None:
        return None
    entries = server.get("/v1/avatars")["avatars"]
    ids = [entry["id"] for entry in entries if avatar in (entry["id"], entry["name"])]
    if not ids:
        names = ", ".join(entry["name"] for entry in entries)
        raise AvatarError(f"avatar {avatar!r}: expected one of {names}")
    return str(ids[0])


def _fail(error: AvatarError) -> NoReturn:
    typer.echo(f"streamer.client: {error}", err=True)
    raise typer.Exit(2) from error


if __name__ == "__main__":
    app(prog_name="python -m streamer.client")
