"""What a person in front of the page would see and hear, read back from the page itself."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

from benchmarks.curves import Floats
from benchmarks.mouth import opening
from engine.api import Picture

LOUD = 0.02  # of full scale
SETTLED_FRAMES = 8  # without sound before (and after): the lips have had time to close

# Every picture the browser presents is drawn to a canvas and kept as JPEG, together with the
# loudness of what it plays at that moment and, if wanted, with what the camera shows just then.
_FILM = """
async ({seconds, pixels, with_camera, least}) => {
  const video = document.getElementById("stage-video");
  const camera = document.createElement("video");
  if (with_camera) {
    camera.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
    await camera.play();
  }
  const drawn = (source, width, height) => {
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext("2d").drawImage(source, 0, 0, width, height);
    return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
  };
  const sound = new AudioContext();
  const ear = new AnalyserNode(sound, { fftSize: 1024 });
  sound.createMediaStreamSource(video.srcObject).connect(ear);
  const heard = new Float32Array(ear.fftSize);
  const begun_ms = performance.now();
  const pictures = [];
  const lasts = (times) => performance.now() < begun_ms + times * seconds * 1000;
  while (lasts(1) || (pictures.length < least && lasts(4))) {
    await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    ear.getFloatTimeDomainData(heard);
    const level = Math.sqrt(heard.reduce((sum, value) => sum + value * value, 0) / heard.length);
    const at_ms = performance.now() - begun_ms;
    const jpeg = drawn(video, pixels, pixels);
    const seen = with_camera ? drawn(camera, camera.videoWidth, camera.videoHeight) : null;
    pictures.push({ at_ms, level, jpeg, seen });
  }
  await sound.close();
  if (with_camera) camera.srcObject.getTracks().forEach((track) => track.stop());
  const asText = async (blob) => {
    if (!blob) return "";
    const bytes = new Uint8Array(await blob.arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  };
  return Promise.all(pictures.map(async ({ at_ms, level, jpeg, seen }) =>
    ({ at_ms, level, jpeg: await asText(await jpeg), seen: await asText(await seen) })));
}
"""


@dataclass(frozen=True, slots=True)
class Film:
    """Pictures as presented, with the loudness at those moments."""

    at_s: Floats
    level: Floats
    pictures: Sequence[Picture]
    camera: Sequence[Picture] = ()  # what it showed at the same moments, if it was asked for

    def mouth(self) -> Floats:
        """How far the mouth is open in each picture."""
        return opening(self.pictures).values

    def speaking(self) -> NDArray[np.bool_]:
        """Pictures well inside of speech."""
        return _all_around(self.level > LOUD, before=3, after=0)

    def silent(self) -> NDArray[np.bool_]:
        """Pictures well inside of silence."""
        return _all_around(self.level < LOUD / 2, before=SETTLED_FRAMES, after=SETTLED_FRAMES // 2)


def film(
    page: Page, seconds: float, pixels: int = 384, *, with_camera: bool = False, least: int = 0
) -> Film:
    """Watch and listen for a while; up to four times as long until there are `least` pictures."""
    wish = {"seconds": seconds, "pixels": pixels, "with_camera": with_camera, "least": least}
    found: list[Mapping[str, Any]] = page.evaluate(_FILM, wish)
    return Film(
        np.array([entry["at_ms"] / 1000 for entry in found]),
        np.array([entry["level"] for entry in found]),
        [_picture(entry["jpeg"]) for entry in found],
        [_picture(entry["seen"]) for entry in found if entry["seen"]],
    )


def _picture(jpeg: str) -> Picture:
    data = np.frombuffer(base64.b64decode(jpeg), np.uint8)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.ascontiguousarray(decoded[:, :, ::-1]).astype(np.uint8)


def _all_around(is_so: NDArray[np.bool_], before: int, after: int) -> NDArray[np.bool_]:
    """Where it is so, and was so for some pictures before, and stays so for some after."""
    padded = np.concatenate([np.zeros(before, bool), is_so, np.zeros(after, bool)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, before + 1 + after)
    return np.asarray(windows.all(axis=1))
