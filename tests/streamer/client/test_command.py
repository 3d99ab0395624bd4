"""`python -m streamer.client` against a real server with the fake engine."""

import asyncio
import json
import socket
import wave
from pathlib import Path

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from engine.api import BadAudioError
from streamer.client.__main__ import app
from streamer.client.calls import RefusedError, Server, ServerAbsentError
from streamer.client.film import say_to_film
from streamer.client.talk import Wish


def speak(path: Path, seconds_of_silence: float = 0.4) -> Path:
    """A wave file: silence, a loud second, silence."""
    quiet = np.zeros(int(16_000 * seconds_of_silence), np.int16)
    loud = (np.sin(np.arange(16_000) * 0.3) * 12_000).astype(np.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.concatenate([quiet, loud, quiet]).tobytes())
    return path


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


async def command(*arguments: str) -> tuple[int, str, str]:
    """Run it beside the server, which lives in this very loop."""
    ran = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
    return ran.exit_code, ran.stdout, ran.stderr


def bars_and_levels(path: Path) -> tuple[list[bool], list[float]]:
    """Of a film: which frames show speech, and how loud the sound beside them is."""
    with av.open(str(path)) as film:
        pictures = [frame.to_ndarray(format="gray") for frame in film.decode(video=0)]
    with av.open(str(path)) as film:
        stream = film.streams.audio[0]
        frames = [frame.to_ndarray()[0] for frame in film.decode(audio=0)]
        rate_hz = stream.rate
    sound = np.concatenate(frames)
    size = rate_hz // 25
    levels = [
        float(np.abs(sound[begin : begin + size]).max()) for begin in range(0, len(sound), size)
    ]
    bars = [bool((each[:, each.shape[1] // 2] > 180).mean() > 0.05) for each in pictures]
    return bars, levels


@pytest.mark.parametrize("how", ["say", pytest.param("live", marks=pytest.mark.slow)])
async def test_a_film_in_sync(server: str, tmp_path: Path, how: str) -> None:
    speech, out = speak(tmp_path / "speech.wav"), tmp_path / "out.mp4"
    code, told, error = await command(how, str(speech), "--out", str(out), "--server", server)
    assert (code, error) == (0, "")
    assert str(out) in told
    bars, levels = await asyncio.to_thread(bars_and_levels, out)
    spoken = [frame for frame, shown in enumerate(bars) if shown]
    heard = [frame for frame, level in enumerate(levels) if level > 0.1]
    assert 24 <= len(spoken) <= 27
    assert abs(spoken[0] - heard[0]) <= 1
    assert abs(spoken[-1] - heard[-1]) <= 1
    if how == "say":
        assert len(bars) == 45
        assert spoken[0] == 10


async def test_avatars_and_status(server: str) -> None:
    code, told, _ = await command("avatars", "--server", server)
    assert code == 0
    assert told.splitlines()[0] == "* fake010  128x128  a"
    code, told, _ = await command("status", "--server", server)
    assert code == 0
    assert json.loads(told)["ready"] is True
    assert json.loads(told)["engine"] == "fake"


async def test_an_avatar_by_its_name(server: str, tmp_path: Path) -> None:
    speech, out = speak(tmp_path / "s.wav", 0.1), tmp_path / "out.mp4"
    named = ("say", str(speech), "--out", str(out), "--server", server, "--avatar")
    assert (await command(*named, "b"))[0] == 0
    code, _, error = await command(*named, "nobody")
    assert (code, error.count("\n")) == (2, 1)
    assert "avatar 'nobody': expected one of a, b" in error


async def test_nobody_there_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        url = f"http://127.0.0.1:{other.getsockname()[1]}"
    speech = speak(tmp_path / "s.wav")
    for arguments in (("status",), ("avatars",), ("say", str(speech))):
        code, _, error = await command(*arguments, "--server", url)
        assert (code, error.count("\n")) == (2, 1)
        assert f"no avatar server answers at {url}" in error
    with pytest.raises(ServerAbsentError, match="expected http"):
        Server(url="ftp://example.org")


async def test_bad_files_and_refusals_are_said_before_a_film_is_begun(
    server: str, tmp_path: Path
) -> None:
    speech, there = speak(tmp_path / "s.wav"), Server(url=server)
    text, out = tmp_path / "text.wav", tmp_path / "out.mp4"
    text.write_text("hello")
    with pytest.raises(BadAudioError, match=r"text\.wav"):
        await asyncio.to_thread(say_to_film, there, Wish(), text, out)
    with pytest.raises(RefusedError, match="no such avatar") as refused:
        await asyncio.to_thread(say_to_film, there, Wish(avatar="nobody"), speech, out)
    assert refused.value.code == "unknown_avatar"
    assert await asyncio.to_thread(names_in, tmp_path) == ["s.wav", "text.wav"]
