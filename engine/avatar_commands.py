"""Avatars that are kept, on the command line: `python run_server.py avatars list|add|change|...`.

A server that runs on the same folder sees what was done when somebody asks it for avatars.
"""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer import Argument, Option

from engine.api import AvatarError, Engine, PortraitOptions
from engine.avatar_look import SHOWN_PICTURE, USUAL, Look
from engine.avatar_store import (
    DATA_FOLDER,
    AvatarStore,
    Change,
    Draft,
    Kept,
    clean_consent,
    clean_name,
)
from engine.looks import named_background, read_background
from engine.picture import read_picture, read_picture_file

BAD_INPUT = 2  # exit code
LoadEngine = Callable[[], Engine]
app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, help=__doc__
)
DataFolder = Annotated[Path, Option("--data-dir", help="Where avatars are kept.")]
AsJson = Annotated[bool, Option("--json", help="One line of JSON.")]
Name = Annotated[str, Argument(help="The avatar's name.")]


def load_portrait_engine() -> Engine:
    """The engine that looks at a new portrait; its module is imported only now."""
    return cast(Engine, import_module("engine.portrait.engine").load_engine())


@app.command("list")
def list_avatars(data_dir: DataFolder = DATA_FOLDER, as_json: AsJson = False) -> None:
    """All that are kept."""
    with _mistakes():
        found = [_describe(kept) for kept in _store(data_dir).all()]
        if as_json:
            typer.echo(json.dumps({"avatars": found}))
        for each in () if as_json else found:
            typer.echo(f"{each['name']}: {_in_words(each)}")
        if not found and not as_json:
            typer.echo("no avatar is kept")


@app.command()
def add(  # noqa: PLR0913, PLR0917  one parameter per flag is how typer works
    context: typer.Context,
    name: Name,
    picture: Annotated[Path, Argument(help="The portrait.")],
    consent: Annotated[str, Option(help="Who agreed that this person is animated.")],
    framing: Annotated[str | None, Option(help="crop or full.")] = None,
    background: Annotated[
        str | None, Option(help="keep, blur, chroma, #rrggbb, or a picture.")
    ] = None,
    size: Annotated[str | None, Option(help="As 512 or 1280x720.")] = None,
    data_dir: DataFolder = DATA_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Look at a portrait, prepare it and keep it under a name."""
    with _mistakes():
        store = _store(data_dir)
        draft = replace(
            _draft(name, picture, Look(framing=framing, size=size), background),
            agreed_by=clean_consent(consent),
        )
        store.check_free(draft.name, draft.folder_name)  # before seconds are spent
        _tell(store.save(draft, _prepared(context, draft)), as_json=as_json)


@app.command()
def change(  # noqa: PLR0913, PLR0917  one parameter per flag is how typer works
    context: typer.Context,
    name: Name,
    framing: Annotated[str | None, Option(help=f"crop, full or {USUAL}.")] = None,
    background: Annotated[
        str | None, Option(help=f"keep, blur, chroma, #rrggbb, {USUAL}, or a picture.")
    ] = None,
    size: Annotated[str | None, Option(help=f"As 512 or 1280x720, or {USUAL}.")] = None,
    data_dir: DataFolder = DATA_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Show a kept avatar another way: its name and record of consent stay.

    `default` leaves a trait to the server or film that shows it.
    """
    with _mistakes():
        store = _store(data_dir)
        kept = store.get(name)
        word, shown = _background(background)
        wanted = Change(look=Look(framing=framing, background=word, size=size), shown=shown)
        avatar_id = _prepared(context, kept.changed(wanted))
        _tell(store.change(kept, wanted, avatar_id), as_json=as_json)


@app.command()
def show(name: Name, data_dir: DataFolder = DATA_FOLDER, as_json: AsJson = False) -> None:
    """One avatar, with its record of consent."""
    with _mistakes():
        _tell(_store(data_dir).get(name), as_json=as_json)


@app.command()
def rename(
    name: Name,
    to: Annotated[str, Argument(help="Its new name.")],
    data_dir: DataFolder = DATA_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Give an avatar another name."""
    with _mistakes():
        store = _store(data_dir)
        kept = store.get(name)
        _tell(store.change(kept, Change(name=clean_name(to)), kept.avatar_id), as_json=as_json)


@app.command()
def remove(name: Name, data_dir: DataFolder = DATA_FOLDER, as_json: AsJson = False) -> None:
    """Forget an avatar: portrait, record and prepared scene."""
    with _mistakes():
        store = _store(data_dir)
        kept = store.get(name)
        store.remove(kept)
        typer.echo(json.dumps({"removed": kept.name}) if as_json else f"{kept.name}: removed")


def _store(data_folder: Path) -> AvatarStore:
    logging.basicConfig(format="warning: %(message)s")
    return AvatarStore(data_folder.expanduser() / "avatars")


def _draft(name: str, picture: Path, look: Look, background: str | None) -> Draft:
    read_picture_file(picture)  # for its words about what is wrong
    word, shown = _background(background)
    look = replace(look, background=word)
    return Draft(name=clean_name(name), picture=picture.read_bytes(), look=look, shown=shown)


def _background(text: str | None) -> tuple[str | None, bytes | None]:
    """The background's word in a look, and the picture where it is one."""
    if text is None or text == USUAL or named_background(text) is not None:
        return text, None
    read_background(text)
    return SHOWN_PICTURE, Path(text).expanduser().read_bytes()


def _prepared(context: typer.Context, draft: Draft) -> str:
    """Id of the scene that shows a draft, as it would be with no flags."""
    options = draft.look.over(PortraitOptions(), draft.shown)
    load = cast("LoadEngine", context.obj or load_portrait_engine)
    return load().prepare(read_picture(draft.picture), options).avatar_id


def _describe(kept: Kept) -> dict[str, Any]:
    return {
        "name": kept.name,
        "id": kept.avatar_id,
        "framing": kept.look.framing,
        "background": kept.look.background,
        "size": kept.look.size,
        "consent": kept.consent,
        "folder": str(kept.folder),
    }


def _in_words(each: dict[str, Any]) -> str:
    own = [f"{key} {each[key]}" for key in ("size", "framing", "background") if each[key]]
    return ", ".join([*own, f"added {str(each['consent'].get('at', ''))[:10]}"])


def _tell(kept: Kept, *, as_json: bool) -> None:
    described = _describe(kept)
    if as_json:
        typer.echo(json.dumps(described))
        return
    typer.echo(f"{kept.name}: {_in_words(described)}")
    typer.echo(f"  consent of {kept.consent.get('by') or 'whoever uploaded it'}")
    typer.echo(f"  kept in {kept.folder}")


@contextmanager
def _mistakes() -> Iterator[None]:
    try:
        yield
    except (AvatarError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from error
