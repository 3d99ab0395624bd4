"""From what was seen to the numbers of the quality table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from benchmarks.curves import Floats
from benchmarks.measures import (
    LEAST_CLOSED_CM,
    Closures,
    Follows,
    blinks,
    closures,
    follows,
    largest_turn_degrees,
    longest_still_s,
    seam_ratio,
    shape_drift,
    spread_ratio,
    upper_face_motion,
)
from benchmarks.phoned_speech import UNHEARD_VOICES, PhonedSpeech
from benchmarks.quality_takes import QUIET_DB, Material, Performance
from benchmarks.tracking import Track
from engine.api import Samples
from engine.config import TIMING
from engine.portrait.channels import MOUTH, Channel
from engine.training.corpus import TalkingClip, lip_opening
from engine.training.evaluate import correlation

Numbers: TypeAlias = dict[str, float | None]

SETTLE_S = 0.6  # after speech the mouth may close
_USUAL_OPENING_CM = 0.8  # that a mouth driven by loudness is scaled to


@dataclass(frozen=True, slots=True)
class ClipScore:
    """How well one mouth follows the true one."""

    clip: str
    portrait: str
    opening: Follows
    width_r: float
    amplitude: float | None  # standard deviation of the opening over the true one
    curve: Floats = field(repr=False)  # the opening [frames] in centimetres
    truth: Floats = field(repr=False)


@dataclass(frozen=True, slots=True)
class Findings:
    """What is known of one engine or baseline."""

    numbers: Numbers
    clips: Sequence[ClipScore]


def engine_findings(
    seen: Mapping[str, Sequence[Performance]], material: Material, real: Mapping[str, Track]
) -> Findings:
    """Judge an engine by its performances of each kind of take; `real` are the true films."""
    scores = [
        clip_score(one.take.portrait, one.track.opening, one.track.width, material.clips[name])
        for one in seen["clips"]
        for name in [one.take.name]
    ]
    rests = {one.take.portrait: float(one.track.opening.mean()) for one in seen["still"]}
    spoken = [
        (material.voices[one.take.name], one.track.opening - rests[one.take.portrait])
        for one in seen["voices"]
    ]
    every = [one for kind in seen.values() for one in kind]
    tracks = [one.track for one in every]
    upper = [upper_face_motion(track.upper) for track in real.values()]
    numbers = (
        _of_clips(scores)
        | _of_closures(spoken, LEAST_CLOSED_CM)
        | _of_silence(seen["pause"], seen["still"], material)
        | _of_watching([one.track for one in seen.get("watched", ())])
        | {
            "quiet_ratio": _quiet_ratio(seen["clips"], seen["quiet"]),
            "seam_ratio": seam_ratio(
                [one.track.shape[:, MOUTH] for one in seen["clips"]], every[0].chunk_frames
            ),
            "flicker": _flicker(tracks),
            "flicker_ratio": _over(_flicker(tracks), _flicker(list(real.values()))),
            "upper_face_ratio": _over(
                _mean([upper_face_motion(one.track.upper) for one in seen["clips"]]), _mean(upper)
            ),
            "engine_ms_per_frame": _mean([one.ms_per_frame for one in every]),
        }
    )
    return Findings(numbers, scores)


def loudness_findings(material: Material) -> Findings:
    """A mouth driven by loudness alone, as it would be if no renderer and no camera blurred it."""
    scores = []
    for clip in material.clips.values():
        driven = loudness(clip.samples)
        scores.append(clip_score("loudness", driven, driven, clip))
    spoken = [(one, loudness(one.samples)) for one in material.voices.values()]
    pause = material.takes["pause"][0].samples
    driven = loudness(pause)
    numbers = (
        _of_clips(scores)
        | _of_closures(spoken, 0.0)
        | {
            "silence_ratio": spread_ratio(_silent(driven, pause, material), driven),
            "quiet_ratio": 10 ** (QUIET_DB / 20),
        }
    )
    return Findings(numbers, scores)


def true_findings(real: Mapping[str, Track], material: Material) -> Findings:
    """The true films looked at once more: the most that any engine can be seen to reach."""
    scores = [
        clip_score("itself", track.opening, track.width, material.clips[name])
        for name, track in real.items()
    ]
    tracks = list(real.values())
    numbers: Numbers = _of_clips(scores) | {
        "blinks_per_minute": _blinks_per_minute(tracks),
        "flicker": _flicker(tracks),
        "flicker_ratio": 1.0,
        "upper_face_ratio": 1.0,
    }
    return Findings(numbers, scores)


def clip_score(portrait: str, opening: Floats, width: Floats, clip: TalkingClip) -> ClipScore:
    """Compare a mouth with that of a clip; what is longer is cut."""
    frames = min(len(opening), len(clip.mouth))
    truth = lip_opening(clip.mouth)[:frames].astype(np.float64)
    return ClipScore(
        clip.name,
        portrait,
        follows(opening[:frames], truth),
        correlation(width[:frames], clip.mouth[:frames, Channel.MOUTH_WIDE]),
        spread_ratio(opening[:frames], truth),
        opening[:frames],
        truth,
    )


def loudness(samples: Samples) -> Floats:
    """Root mean square of each frame, scaled to the opening of a usual mouth in centimetres."""
    whole = len(samples) // TIMING.samples_per_frame * TIMING.samples_per_frame
    frames = samples[:whole].reshape(-1, TIMING.samples_per_frame).astype(np.float64)
    level = np.sqrt((frames**2).mean(axis=1))
    wide = float(np.quantile(level, 0.9))
    return np.asarray(level * (_USUAL_OPENING_CM / wide if wide > 0 else 0.0))


def _of_clips(scores: Sequence[ClipScore]) -> Numbers:
    return {
        "opening_r": _mean([one.opening.at_once for one in scores]),
        "opening_best_r": _mean([one.opening.best for one in scores]),
        "width_r": _mean([one.width_r for one in scores]),
        "lag_within_1": _mean([float(abs(one.opening.best_lag_frames) <= 1) for one in scores]),
        "median_lag_frames": float(np.median([one.opening.best_lag_frames for one in scores]))
        if scores
        else None,
        "amplitude": _mean([one.amplitude for one in scores]),
    }


def _of_closures(spoken: Sequence[tuple[PhonedSpeech, Floats]], least_cm: float) -> Numbers:
    def total(of: Sequence[tuple[PhonedSpeech, Floats]]) -> Closures:
        found = [closures(curve, one.shut_s, one.open_s, least_cm) for one, curve in of]
        return sum(found, Closures(0, 0, 0, 0))

    every = total(spoken)
    unheard = total([pair for pair in spoken if pair[0].voice in UNHEARD_VOICES])
    return {
        "closure_recall": every.recall,
        "closure_false": every.false_share,
        "closure_recall_unheard_voices": unheard.recall,
        "closure_false_unheard_voices": unheard.false_share,
    }


def _of_silence(
    pause: Sequence[Performance], still: Sequence[Performance], material: Material
) -> Numbers:
    """Motion in room noise after speech over that in speech.

    A mouth seems to move a little with the head that carries it. So the same film with a mouth that
    cannot move (strength 0) is taken away frame by frame; `silence_ratio_seen` is without that.
    """
    ratios, seen = [], []
    for moving, fixed in zip(pause, still, strict=True):
        samples = moving.take.samples
        excess = moving.track.opening - fixed.track.opening
        speech = excess[: len(excess) - _silent_frames(material)]
        ratios.append(spread_ratio(_silent(excess, samples, material), speech))
        seen.append(spread_ratio(_silent(moving.track.opening, samples, material), speech))
    return {"silence_ratio": _mean(ratios), "silence_ratio_seen": _mean(seen)}


def _of_watching(tracks: Sequence[Track]) -> Numbers:
    if not tracks:
        return {}
    return {
        "blinks_per_minute": _blinks_per_minute(tracks),
        "head_still_s": max(longest_still_s(track.angles) for track in tracks),
        "head_max_degrees": max(largest_turn_degrees(track.angles) for track in tracks),
        "shape_drift": max(shape_drift(track.bones) for track in tracks),
        "background_change": max(float(track.background.mean()) for track in tracks),
        "frozen_share": max(float(track.frozen.mean()) for track in tracks),
    }


def _quiet_ratio(loud: Sequence[Performance], quiet: Sequence[Performance]) -> float | None:
    usual = {one.take.name: one.track.opening for one in loud}
    return _mean(
        [
            spread_ratio(one.track.opening, usual[one.take.name.removesuffix(", quiet")])
            for one in quiet
        ]
    )


def _silent_frames(material: Material) -> int:
    return round(material.silence_s * TIMING.frame_rate_hz)


def _silent(curve: Floats, samples: Samples, material: Material) -> Floats:
    """The part of a curve in which the room is silent and the mouth has had time to close."""
    begin = len(samples) // TIMING.samples_per_frame - _silent_frames(material)
    return curve[begin + round(SETTLE_S * TIMING.frame_rate_hz) :]


def _blinks_per_minute(tracks: Sequence[Track]) -> float | None:
    minutes = sum(len(track.eyes) for track in tracks) * TIMING.frame_s / 60
    return sum(blinks(track.eyes) for track in tracks) / minutes if minutes else None


def _flicker(tracks: Sequence[Track]) -> float | None:
    found = [track.flicker for track in tracks]
    windows = np.concatenate(found) if found else np.empty(0)
    return float(np.median(windows)) if len(windows) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _over(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None
