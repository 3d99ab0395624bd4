"""Clips that nobody should learn from are refused, each with its reason."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer

from engine.training.corpus import CorpusError, read_corpus
from engine.training.screening import _main, screen, with_role, write_screened

LICENCE = "CC BY 4.0"


@pytest.fixture
def licensed(corpus: Path) -> Path:
    """The made corpus, every clip with a licence."""
    change(corpus, lambda clip: clip.update(licence=LICENCE))
    return corpus


def change(corpus: Path, what: Any) -> None:
    index = json.loads((corpus / "index.json").read_text())
    for clip in index["clips"]:
        what(clip)
    (corpus / "index.json").write_text(json.dumps(index))


@pytest.mark.slow
def test_good_clips_pass_with_all_that_is_known_of_them(licensed: Path, tmp_path: Path) -> None:
    fit, refused = screen(licensed)
    assert refused == {}
    assert fit == json.loads((licensed / "index.json").read_text())["clips"]
    write_screened(licensed, tmp_path / "out", fit, refused)
    write_screened(licensed, tmp_path / "out", fit, refused)  # again, over what is there
    assert [clip.name for clip in read_corpus(tmp_path / "out", "ship", tmp_path)] == [
        "anna", "bert",
    ]  # fmt: skip
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert {clip["licence"] for clip in index["clips"]} == {LICENCE}


def lose_face(folder: Path, frames: int) -> None:
    with np.load(folder / "anna.npz") as arrays:
        delta = arrays["landmarks_delta"]
    np.savez(folder / "anna.npz", landmarks_delta=delta, present=np.arange(100) >= frames)


def sound(folder: Path, samples: np.ndarray, rate_hz: int = 16_000) -> None:
    soundfile.write(folder / "anna.flac", samples, rate_hz)


def shifted(folder: Path, frames: int) -> None:
    samples, _ = soundfile.read(folder / "anna.flac")
    bursts = np.zeros((100, 640))
    with np.load(folder / "anna.npz") as arrays:
        steps = np.cumsum(arrays["landmarks_delta"], axis=0, dtype=np.int32)
    gap = steps[:, 14, 1] - steps[:, 13, 1]
    chirp = np.random.default_rng(0).normal(0, 0.2, (100, 640))
    bursts = chirp * ((gap - gap.min()) / np.ptp(gap))[:, None]
    sound(folder, np.roll(bursts, frames, axis=0).reshape(-1)[: len(samples)])


def click(folder: Path) -> None:
    samples = np.random.default_rng(0).normal(0, 1e-4, 64_000)
    samples[30_000:31_000] = 0.4
    sound(folder, samples)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda folder: lose_face(folder, 100), "no face in any frame"),
        (lambda folder: lose_face(folder, 20), "the face is lost in 20% of the frames"),
        (lambda folder: sound(folder, np.zeros(64_000)), "no sound"),
        (click, "no speech"),
        (lambda folder: sound(folder, np.ones(8_000)), "too short: 0.5 s"),
        (lambda folder: sound(folder, np.ones(64_000), 8_000), "expected mono at 16000 Hz"),
        (lambda folder: (folder / "anna.flac").unlink(), "no file anna.flac"),
        (lambda folder: (folder / "anna.npz").write_bytes(b"PK"), "unreadable"),
    ],
)
def test_bad_clips_are_refused_with_the_reason(licensed: Path, harm: Any, reason: str) -> None:
    harm(licensed)
    fit, refused = screen(licensed)
    assert [entry["name"] for entry in fit] == ["bert", "carl"]
    assert list(refused) == ["anna"]
    assert reason in refused["anna"]


@pytest.mark.slow
def test_only_what_is_clearly_out_of_step_is_refused(licensed: Path) -> None:
    random = np.random.default_rng(3)  # a mouth that never repeats itself
    with np.load(licensed / "anna.npz") as arrays:
        steps = np.cumsum(arrays["landmarks_delta"], axis=0, dtype=np.int32)
    order = random.permutation(100)
    delta = np.diff(steps[order], axis=0, prepend=0).astype(np.int16)
    np.savez(licensed / "anna.npz", landmarks_delta=delta, present=np.ones(100, bool))
    shifted(licensed, 0)
    assert screen(licensed)[1] == {}
    shifted(licensed, 8)
    reason = screen(licensed)[1]["anna"]
    assert reason == "out of sync: sound and lips agree at -8 frames, stated is 0"
    change(licensed, lambda clip: clip.update(av_lag=-8) if clip["name"] == "anna" else None)
    assert screen(licensed)[1] == {}


@pytest.mark.slow
def test_a_clip_without_licence_is_refused(corpus: Path) -> None:
    change(corpus, lambda clip: clip.update(licence=LICENCE) if clip["name"] == "bert" else None)
    fit, refused = screen(corpus)
    assert [entry["name"] for entry in fit] == ["bert"]
    assert refused["anna"] == "the index does not state its licence"
    change(corpus, lambda clip: clip["name"] == "anna" and clip.pop("name"))
    assert screen(corpus)[1]["clip 0"] == "the index does not state its name or licence"


def test_a_corpus_of_nothing_is_an_error(
    licensed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in licensed.glob("*.flac"):
        file.unlink()
    with pytest.raises(CorpusError, match=r"every clip is refused: .*no file"):
        screen(licensed)
    (licensed / "index.json").write_text(json.dumps({"clips": []}))
    with pytest.raises(CorpusError, match="the corpus is empty"):
        screen(licensed)
    with pytest.raises(typer.Exit):
        _main(tmp_path / "nowhere", tmp_path / "out")
    assert "expected a corpus folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_clip_that_is_there_twice_is_an_error(licensed: Path) -> None:
    change(licensed, lambda clip: clip.update(name="anna"))
    with pytest.raises(CorpusError, match="anna is there twice"):
        screen(licensed)


def test_the_split_never_divides_a_person() -> None:
    entries = [{"name": f"{n}", "identity": f"person {n % 200}"} for n in range(1000)]
    roles: dict[str, set[str]] = {}
    for entry in entries:
        roles.setdefault(entry["identity"], set()).add(with_role(entry)["role"])
    assert all(len(found) == 1 for found in roles.values())
    held_out = sum(found == {"eval"} for found in roles.values())
    assert 8 <= held_out <= 35  # a tenth of 200
    assert with_role({"identity": "x", "role": "eval"})["role"] == "eval"


def test_the_command_tells_what_it_did(
    licensed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lose_face(licensed, 100)
    _main(licensed, tmp_path / "out")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "anna: no face in any frame"
    assert json.loads(lines[-1]) == {"fit": 2, "refused": 1, "licences": {LICENCE: 1}}
    assert json.loads((tmp_path / "out" / "refused.json").read_text()) == {
        "anna": "no face in any frame"
    }
