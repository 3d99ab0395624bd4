"""What a call's pixels and samples say about time: everything from decoded pictures and sound.

Words and clicks begin after silence. When such a beginning was spoken is known here; when it was
heard is found in the decoded sound; which picture belongs to it is written in the time code of that
picture. One clock, no guess about lips, and far finer than a frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.call import Notes
from benchmarks.curves import Floats, gaps_s
from engine.api import Samples
from engine.config import TIMING
from streamer.resample import FACTOR
from streamer.timecode import Code, OnsetFinder

FREEZE_S = 0.19  # W3C: three times the average gap, or 150 ms more; at 25 frames/s that is 190 ms
_WITHIN_S = 0.6  # shorter than the time between two beginnings
_FULL_SCALE = 32_768


@dataclass(frozen=True, slots=True)
class Event:
    """One beginning: when it was captured, seen and heard; None where it was not."""

    spoken_s: float
    seen_s: float | None  # when its picture came out of the decoder
    seen_own_s: float | None  # and the moment within that picture's 40 ms at which it belongs
    heard_s: float | None

    @property
    def lips_ms(self) -> float | None:
        """From capture to the picture."""
        return None if self.seen_s is None else 1000 * (self.seen_s - self.spoken_s)

    @property
    def ears_ms(self) -> float | None:
        """From capture to the sound."""
        return None if self.heard_s is None else 1000 * (self.heard_s - self.spoken_s)

    @property
    def skew_ms(self) -> float | None:
        """How much the picture is later than its sound."""
        if self.seen_own_s is None or self.heard_s is None:
            return None
        return 1000 * (self.seen_own_s - self.heard_s)


def events(notes: Notes) -> list[Event]:
    """All beginnings that were spoken in a call."""
    heard_s = _onsets_s(notes.sound.packets, notes.sound.playable_s())
    seen = _seen(notes)
    found = []
    for spoken_s in _spoken_s(notes):
        picture = next((each for each in seen if _follows(each[0], spoken_s)), None)
        sound_s = next((each for each in heard_s if _follows(each, spoken_s)), None)
        seen_s, own_s = picture or (None, None)
        found.append(Event(spoken_s, seen_s, own_s, sound_s))
    return found


def values(found: Sequence[Event], name: str) -> Floats:
    """One kind of delay in milliseconds, of all events that have it."""
    seen = [getattr(event, name) for event in found]
    return np.array([value for value in seen if value is not None], float)


def new_pictures_s(notes: Notes) -> Floats:
    """When pictures came that had not been shown before; a repeated one changes nothing to see."""
    last: Code | None = None
    times_s = []
    for (_, at_s), code in zip(notes.shown, notes.codes, strict=True):
        if code is not None and code != last:
            times_s.append(at_s)
            last = code
    return np.array(times_s)


def skipped_frames(notes: Notes) -> int:
    """Frames that never were shown, by the numbers in the pictures."""
    read = [code for code in notes.codes if code is not None]
    steps = [
        after.index - before.index
        for before, after in pairwise(read)
        if before.generation == after.generation
    ]
    return sum(step - 1 for step in steps if step > 1)


def freezes(times_s: Floats) -> int:
    """Gaps of 190 ms or more."""
    return len(gaps_s(times_s, FREEZE_S))


def per_second(times_s: Floats) -> float | None:
    """Pictures a second; None for fewer than two."""
    span_s = float(times_s[-1] - times_s[0]) if len(times_s) > 1 else 0.0
    return (len(times_s) - 1) / span_s if span_s else None


def _follows(at_s: float, spoken_s: float) -> bool:
    return 0 < at_s - spoken_s < _WITHIN_S


def _spoken_s(notes: Notes) -> Floats:
    """A packet is sent when its last sample has been captured."""
    microphone = notes.microphone
    count = min(len(microphone.sent_s), len(microphone.packets))
    begins_s = np.array(microphone.sent_s[:count]) - TIMING.packet_ms / 1000
    return _onsets_s(microphone.packets[:count], begins_s)


def _seen(notes: Notes) -> list[tuple[float, float]]:
    """For each beginning that a picture names: when that came, and the moment it stands for."""
    seen, known = [], set[tuple[int, int]]()
    for (_, at_s), code in zip(notes.shown, notes.codes, strict=True):
        if code is None or code.onset_samples is None:
            continue
        if (code.generation, code.index) not in known:
            known.add((code.generation, code.index))
            seen.append((at_s, at_s + code.onset_samples / TIMING.sample_rate_hz))
    return seen


def _onsets_s(packets: Sequence[NDArray[np.int16]], begins_s: Floats) -> Floats:
    """When sound begins, in packets that themselves begin at given times."""
    finder = OnsetFinder()
    found = []
    for packet, begin_s in zip(packets, begins_s, strict=True):
        onset = finder.push(_at_engine_rate(packet))
        if onset is not None:
            found.append(begin_s + onset / TIMING.sample_rate_hz)
    return np.array(found)


def _at_engine_rate(packet: NDArray[np.int16]) -> Samples:
    return np.asarray(packet.reshape(-1, FACTOR).mean(axis=1) / _FULL_SCALE, np.float32)
