"""The quality benchmark on curves known by hand, and whole on a made clip."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import typer

from benchmarks.curves import Floats
from benchmarks.filming import EngineProcess, Take
from benchmarks.harness import ROOT
from benchmarks.phoned_speech import PhonedSpeech
from benchmarks.quality import MOTION_V1, main
from benchmarks.quality_findings import (
    clip_score,
    engine_findings,
    loudness,
    loudness_findings,
    true_findings,
)
from benchmarks.quality_pictures import one_clip_each, telling_frames
from benchmarks.quality_table import GOALS, LOUDNESS, OURS, TRUE, Goal, values
from benchmarks.quality_takes import Material, Performance
from benchmarks.tracking import Track
from engine.api import Picture, Samples
from engine.portrait.channels import MOUTH_CHANNELS, SHAPE_CHANNELS, Channel
from engine.portrait.landmarks import FaceLandmarker
from engine.training.corpus import TalkingClip
from tests.speech import syllables

FRAMES = 100
WAVE = 0.4 + 0.4 * np.sin(np.arange(FRAMES) * 0.6)
SPEECH: Samples = np.repeat(np.abs(WAVE), 640).astype(np.float32) * 0.1
SHUT_S, OPEN_S = (0.34,), (0.14,)  # a valley and a hill of the wave


def track(opening: Floats, *, flicker: float = 0.01, upper: float = 0.1) -> Track:
    frames = len(opening)
    shape = np.zeros((frames, SHAPE_CHANNELS))
    shape[:, Channel.LOWER_LIP_DOWN] = opening
    shape[:, Channel.MOUTH_WIDE] = 5 - opening
    face = np.zeros((frames, 12, 3))
    face[::2, :, 1] = 2 * upper
    eyes = np.full(frames, 0.3)
    eyes[10:13] = 0.05
    angles = np.cumsum(np.full((frames, 3), np.radians(0.05)), axis=0)
    seen, still = np.ones(frames, bool), np.zeros(frames, bool)
    bones = np.zeros((frames, 5, 2))
    return Track(
        seen, shape, eyes, eyes, angles, face, bones, np.zeros(frames), still, np.full(3, flicker)
    )


def clip() -> TalkingClip:
    mouth = np.zeros((FRAMES, MOUTH_CHANNELS), np.float32)
    mouth[:, Channel.LOWER_LIP_DOWN] = WAVE
    mouth[:, Channel.MOUTH_WIDE] = -WAVE
    return TalkingClip("carl", "carl", "real", SPEECH, mouth)


def said() -> Material:
    pause = Take("p, pause", "p", np.concatenate([SPEECH, np.zeros(50 * 640, np.float32)]))
    voice = PhonedSpeech("en", "edward2", SPEECH, SHUT_S, OPEN_S)
    return Material({"carl": clip()}, {"en+edward2": voice}, {"pause": [pause]}, 2.0)


def performance(name: str, seen: Track, seconds: float = 4.0) -> Performance:
    sound = np.zeros(round(seconds * 16_000), np.float32)
    return Performance(Take(name, "p", sound), seen, 1, 7.5, {})


def performances(silence: float) -> dict[str, list[Performance]]:
    """A good mouth, 2 mm open at rest, whose lips tremble by `silence` when nothing is said."""
    tail = silence * np.tile([-1.0, 1.0], 25)
    sway = 0.02 * np.sin(np.arange(150) * 0.1)  # what the network sees in a turning head
    return {
        "clips": [performance("carl", track(0.2 + WAVE, flicker=0.02))],
        "voices": [performance("en+edward2", track(0.2 + WAVE))],
        "quiet": [performance("carl, quiet", track(0.2 + 0.9 * WAVE))],
        "pause": [
            performance("p, pause", track(0.2 + sway + np.concatenate([WAVE, tail])), seconds=6.0)
        ],
        "still": [performance("p, still", track(0.2 + sway), seconds=6.0)],
        "watched": [performance("p, watched", track(np.full(FRAMES, 0.2)))],
    }


def test_a_known_engine_gets_known_numbers() -> None:
    real = {"carl": track(WAVE, flicker=0.04, upper=0.2)}
    found = engine_findings(performances(0.01), said(), real)
    expected = {
        "opening_r": 1.0,
        "width_r": 1.0,
        "lag_within_1": 1.0,
        "amplitude": 1.0,
        "closure_recall": 1.0,
        "closure_false": 0.0,
        "closure_recall_unheard_voices": 1.0,
        "silence_ratio": 0.01 / WAVE.std(),
        "quiet_ratio": 0.9,
        "blinks_per_minute": 15.0,
        "upper_face_ratio": 0.5,
        "engine_ms_per_frame": 7.5,
        "head_max_degrees": 49.5 * 0.05,
        "frozen_share": 0.0,
    }
    for name, value in expected.items():
        assert found.numbers[name] == pytest.approx(value, abs=0.001), name
    assert found.numbers["flicker_ratio"] == pytest.approx(0.25, abs=0.01)  # the usual window
    seen, true = found.numbers["silence_ratio_seen"], found.numbers["silence_ratio"]
    assert seen is not None
    assert true is not None
    assert seen > true


def test_a_bad_engine_gets_bad_numbers() -> None:
    seen = performances(0.3)
    seen["clips"] = [performance("carl", track(np.roll(WAVE, 3)))]
    seen["voices"] = [performance("en+edward2", track(1.0 - WAVE))]
    found = engine_findings(seen, said(), {}).numbers
    assert found["lag_within_1"] == 0
    assert found["median_lag_frames"] == 3
    assert found["closure_recall"] == 0
    assert found["closure_false"] == 1
    assert (found["silence_ratio"] or 0) > 0.5
    assert found["flicker_ratio"] is None  # nothing to compare with


def test_loudness_is_judged_by_the_same_measures() -> None:
    found = loudness_findings(said()).numbers
    assert found["opening_r"] == pytest.approx(1)  # here the sound is as loud as the mouth is open
    assert found["quiet_ratio"] == pytest.approx(0.126, abs=0.001)
    assert found["silence_ratio"] == 0
    assert "engine_ms_per_frame" not in found
    assert not loudness(np.zeros(6400, np.float32)).any()


def test_true_films_are_the_ceiling() -> None:
    found = true_findings({"carl": track(WAVE)}, said()).numbers
    assert found["opening_r"] == pytest.approx(1)
    assert found["blinks_per_minute"] == pytest.approx(15)
    assert true_findings({}, said()).numbers["opening_r"] is None


def test_a_shorter_film_is_compared_as_far_as_it_goes() -> None:
    score = clip_score("p", WAVE[:60], -WAVE[:60], clip())
    assert score.opening.at_once == pytest.approx(1)
    assert score.width_r == pytest.approx(1)


def test_goals_and_the_line() -> None:
    assert Goal(0.6).reached(0.6)
    assert not Goal(0.6).reached(0.59)
    assert not Goal(8, 25).reached(26)
    assert not Goal(most=1).reached(None)
    assert [str(goal) for goal in (Goal(0.6), Goal(most=2), Goal(8, 25))] == [
        ">= 0.6", "<= 2", "8-25",
    ]  # fmt: skip
    found = {
        OURS: engine_findings(performances(0.0), said(), {"carl": track(WAVE)}),
        LOUDNESS: loudness_findings(said()),
        TRUE: true_findings({"carl": track(WAVE)}, said()),
    }
    line = values(found, said())
    assert set(GOALS) <= set(line)
    assert line["opening_r_over_loudness"] == pytest.approx(0)
    assert line["engine_core_share"] == pytest.approx(7.5 / 40)
    assert line["width_r_true"] == pytest.approx(1)
    assert "opening_r_older" not in line


def test_sheets_show_each_person_once_from_all_over_the_corpus() -> None:
    clips = [
        TalkingClip(f"clip {n}", f"person {n // 2}", "real", SPEECH, clip().mouth)
        for n in range(80)
    ]
    shown = one_clip_each(clips)
    assert len(shown) == len({one.identity for one in shown}) == 12
    assert (shown[0].name, shown[-1].name) == ("clip 0", "clip 78")
    assert [one.name for one in one_clip_each(clips[:3])] == ["clip 0", "clip 2"]
    assert one_clip_each([]) == []
    # A hill of the truth in each odd eighth, a valley in each even one.
    frames = telling_frames(clip())
    assert (WAVE[frames][::2] > 0.7).all()
    assert (WAVE[frames][1::2] < 0.1).all()


def filmed(folder: Path, sound: Samples, cache: Path) -> list[Picture]:
    with EngineProcess(ROOT, cache, 256) as engine:
        pictures = list(engine.film(Take("made", "astronaut", sound)))
    with av.open(str(folder / "made.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 256
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return pictures


def made_corpus(folder: Path, cache: Path) -> None:
    """One clip, in which the engine itself speaks: whoever measures well finds that it does."""
    folder.mkdir()
    sound, _ = syllables(3.2, 1)
    landmarker, points, region = FaceLandmarker(), list[np.ndarray](), None
    pictures = filmed(folder, sound, cache)
    for picture in pictures:
        face = landmarker.landmarks(picture, region) if region else landmarker.find(picture)
        assert face is not None
        region = face.region
        points.append(face.points)
    steps = np.round(np.stack(points) * 32).astype(np.int32)
    delta = np.diff(steps, axis=0, prepend=0).astype(np.int16)
    np.savez(folder / "made.npz", landmarks_delta=delta, present=np.ones(len(pictures), bool))
    soundfile.write(folder / "made.flac", sound, 16_000)
    entry = {
        "name": "made", "role": "eval", "identity": "nobody", "kind": "synthetic", "seconds": 3.2,
        "frames": len(pictures), "video_px": 256, "av_lag": 0,
    }  # fmt: skip
    (folder / "index.json").write_text(json.dumps({"clips": [entry]}))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_benchmark_on_a_made_clip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made_corpus(tmp_path / "corpus", tmp_path / "cache")
    out = tmp_path / "out"
    main(tmp_path / "corpus", out, previous=str(ROOT), quick=True, record=False)
    told = capsys.readouterr()
    line = json.loads(told.out.splitlines()[-1])
    assert line["name"] == "quality"
    assert set(GOALS) <= set(line)
    assert line["opening_r"] > 0.9
    assert line["width_r"] > 0.8
    assert line["opening_r_true"] > 0.95
    assert line["opening_r_older"] == line["opening_r"]  # this very checkout
    assert line["lag_within_1"] == 1
    assert line["silence_ratio"] < 0.1
    assert 0 <= line["closure_recall"] <= 1
    assert line["head_max_degrees"] < 10
    assert line["engine_ms_per_frame"] > 0
    assert "this engine, clips 1/1: made" in told.err
    assert (out / "clips.png").is_file()
    assert (out / "curves.png").is_file()
    assert len(list(out.glob("true-*.npz"))) == 1


def test_what_cannot_be_measured_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit):
        main(tmp_path, tmp_path / "out", previous=MOTION_V1, quick=True, record=False)
    assert "expected a corpus folder with index.json" in capsys.readouterr().err
