"""A camera's call against one without, on a real server with the fake engine behind it."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from aiortc.codecs.vpx import Vp8Encoder, vp8_depayload
from aiortc.jitterbuffer import JitterFrame

from benchmarks.call import Microphone, Notes
from benchmarks.camera import Session, SwayingCamera, head_lag, measure, sway_degrees
from benchmarks.process_times import cpu_s
from engine.portraits import bundled_portraits
from streamer.stamped import loading_stamped
from tests.benchmarks.test_latency import serving_url
from tests.fakes import FakeEngine

TICKS_PER_S = 100


def test_a_head_rests_before_it_sways() -> None:
    assert [sway_degrees(time_s) for time_s in (-3.0, -0.5, 0.0)] == [0, 0, 0]
    swayed = [sway_degrees(frame / 25) for frame in range(250)]
    assert 5 < max(swayed) < 8
    assert np.abs(np.diff(swayed)).max() < 1.5


async def test_a_camera_says_when_it_sent_what() -> None:
    camera = SwayingCamera(np.full((64, 64, 3), 200, np.uint8))
    frames = [await camera.recv() for _ in range(3)]
    assert [frame.pts for frame in frames] == [0, 3600, 7200]
    assert len(camera.sway.values) == 3
    assert (np.diff(camera.sway.times_s) > 0).all()


def test_processor_time_is_that_of_a_whole_family(tmp_path: Path) -> None:
    for number, parent, ticks in ((10, 1, 200), (11, 10, 50), (12, 11, 25), (13, 1, 999)):
        folder = tmp_path / str(number)
        folder.mkdir()
        rest = [str(parent), *["0"] * 9, str(ticks), "25"]
        (folder / "stat").write_text(f"{number} (a (b) c) S {' '.join(rest)} 0 0\n")
    (tmp_path / "self").mkdir()
    assert cpu_s(10, tmp_path, TICKS_PER_S) == pytest.approx((200 + 50 + 25 + 3 * 25) / 100)
    assert cpu_s(99, tmp_path, TICKS_PER_S) == 0


@pytest.mark.slow
async def test_both_calls_are_measured(tmp_path: Path) -> None:
    async with serving_url(tmp_path, loading_stamped(FakeEngine, is_benchmark=True)) as url:
        numbers = await measure(None, url, 2.0)
    for kind in ("alone", "camera"):
        assert numbers[f"{kind}_mic_to_lips_ms"] is not None
        assert numbers[f"{kind}_frames_per_s"] is not None
    assert numbers["camera_to_head_ms"] is None, "the fake engine paints no face"
    assert numbers["added_ms"] is None


@pytest.mark.slow
def test_a_portrait_that_follows_late_is_found_to_be_late() -> None:
    """Not through a server: a film of the very head before the camera, 120 ms late."""
    camera = SwayingCamera(bundled_portraits()["hopper"])
    notes = Notes(Microphone(np.zeros(16, np.float32)))
    encoder = Vp8Encoder()
    for number in range(120):
        time_s = number / 25
        picture = camera.picture(sway_degrees(time_s))
        camera.sent_s.append(time_s)
        camera.degrees.append(sway_degrees(time_s))
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = number * 3600, Fraction(1, 90_000)
        payloads, _ = encoder.encode(frame, number == 0)
        data = b"".join(vp8_depayload(payload) for payload in payloads)
        notes.pictures.film.append(JitterFrame(data, number))
        notes.pictures.arrived_s.append(time_s + 0.12)
        notes.shown.append((number, time_s + 0.12))
    late_ms, alike = head_lag(Session(notes, 1.0, 4.5, None), camera)
    assert late_ms == pytest.approx(120, abs=6)
    assert alike is not None
    assert alike > 0.98
