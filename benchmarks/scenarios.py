"""Calls under different conditions, each read in the same way."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from websockets.asyncio.client import connect

from benchmarks.call import Call, Notes, Watching, calling
from benchmarks.curves import Floats, falls_silent_s
from benchmarks.harness import Spread, Value
from benchmarks.relay import Relay, Weather, relaying
from benchmarks.timing import (
    Event,
    events,
    freezes,
    new_pictures_s,
    per_second,
    skipped_frames,
    values,
)
from engine.api import Samples
from engine.config import TIMING
from tests.speech import Pace, syllables

SILENT_S = 1.0  # before the first word
RECOVERED_AFTER_S = 2.0  # of fair weather
_CONNECT_WITHIN_S = 15.0
_AFTER_S = 0.6
_WORDS = Pace((1, 2), (0.5, 0.7))
_CLICK_EVERY, _CLICK_SAMPLES, _CLICK_LEVEL = 3, TIMING.sample_rate_hz // 100, 0.4
_MONOLOGUE = Pace((12, 12), (0.0, 0.01))  # without a pause, to be interrupted
_MONOLOGUE_S = 6.0
_INTERRUPT_AFTER_S, _LISTEN_S = 1.5, 1.0
_SILENCE_LEVEL = 0.01  # -40 dB of full scale
_SILENCE_STAYS_S = 0.25
_FULL_SCALE = 32767


FAIR = Weather()
COMPANION = Watching(keeps_film=False, decodes=False)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One set of conditions."""

    name: str
    weather: Weather = FAIR
    sessions: int = 1


SCENARIOS = (
    Scenario("clean"),
    Scenario("loss_1", Weather(loss=0.01)),
    Scenario("loss_3", Weather(loss=0.03)),
    Scenario("loss_5", Weather(loss=0.05)),
    Scenario("jitter", Weather(delay_s=(0.02, 0.06))),
    Scenario("sessions_2", sessions=2),
    Scenario("sessions_4", sessions=4),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How each scenario is run."""

    seconds: float  # of speech under the scenario's conditions
    fair_s: float  # of speech afterwards, in fair weather
    seed: int
    avatar: str | None
    keeps_film: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one scenario showed."""

    notes: Notes
    events: list[Event]
    recovered: list[Event]  # those that began 2 s after the weather cleared, or later
    silence_ms: float | None  # from an interrupt
    acknowledged_ms: float | None
    pictures_s: Floats
    companions_s: list[Floats]  # when pictures came to each visitor beside this one

    def row(self) -> dict[str, Value]:
        """The eight numbers that are promised."""
        lips, skew = (Spread.of(values(self.events, name)) for name in ("lips_ms", "skew_ms"))
        gaps_ms = np.diff(self.pictures_s) * 1000
        first_s = self.notes.pictures_s[:1]
        first_ms = float(first_s[0] - self.notes.posted_s) * 1000 if len(first_s) else None
        return {
            "mic_to_lips_p50_ms": lips.p50,
            "mic_to_lips_p95_ms": lips.p95,
            "first_frame_ms": first_ms,
            "interrupt_to_silence_ms": self.silence_ms,
            "skew_mean_ms": skew.mean,
            "skew_p95_ms": skew.p95,
            "jitter_ms": float(gaps_ms.std()) if len(gaps_ms) else None,
            "freezes": sum(freezes(each) for each in (self.pictures_s, *self.companions_s)),
        }

    def spreads(self) -> dict[str, Spread]:
        """All that was measured, in milliseconds."""
        return {
            "microphone to lips": Spread.of(values(self.events, "lips_ms")),
            "once recovered": Spread.of(values(self.recovered, "lips_ms")),
            "microphone to ears": Spread.of(values(self.events, "ears_ms")),
            "lips after ears": Spread.of(values(self.events, "skew_ms")),
            "between new pictures": Spread.of(np.diff(self.pictures_s) * 1000),
        }

    def counts(self) -> dict[str, Value]:
        """How complete it was."""
        return {
            "words and clicks": len(self.events),
            "seen": len(values(self.events, "lips_ms")),
            "heard": len(values(self.events, "ears_ms")),
            "frames never shown": skipped_frames(self.notes),
            "acknowledged after ms": self.acknowledged_ms,
            "pictures a second": per_second(self.pictures_s),
            **self._companions(),
        }

    def _companions(self) -> dict[str, Value]:
        """Of visitors who count pictures as they arrive and decode none."""
        rates = [rate for each in self.companions_s if (rate := per_second(each)) is not None]
        return {"slowest companion, counted not decoded": min(rates)} if rates else {}


async def run_scenario(url: str, scenario: Scenario, plan: Plan) -> Outcome:
    """Call, speak, interrupt, hang up, and read what came back. Raises `CallError`."""
    spoken = spoken_words(plan.seconds + plan.fair_s, plan.seed)
    async with AsyncExitStack() as owned:
        companions = [
            await owned.enter_async_context(calling(url, spoken, plan.avatar, COMPANION))
            for _ in range(scenario.sessions - 1)
        ]
        relay = None
        if not scenario.weather.is_fair:
            relay = await owned.enter_async_context(relaying(scenario.weather, plan.seed))
        watching = Watching(keeps_film=plan.keeps_film, relay=relay)
        call = await owned.enter_async_context(calling(url, spoken, plan.avatar, watching))
        await call.first_picture(_CONNECT_WITHIN_S)
        cleared_s = await _speak(plan, relay)
        talked_s = time.monotonic()
        silence_ms, acknowledged_ms = await _interrupt(call, plan.seed)
    notes = call.notes
    found = events(notes)
    shown_s = new_pictures_s(notes)
    return Outcome(
        notes,
        [event for event in found if event.spoken_s < cleared_s],
        [event for event in found if event.spoken_s >= cleared_s + RECOVERED_AFTER_S],
        silence_ms,
        acknowledged_ms,
        _until(shown_s, talked_s),
        [_until(np.array(each.notes.pictures.arrived_s), talked_s) for each in companions],
    )


def spoken_words(seconds: float, seed: int) -> Samples:
    """Silence, then words and clicks [time]; every third beginning is a click."""
    words, onsets_s = syllables(seconds, seed, _WORDS)
    random = np.random.default_rng(seed)
    begins = [round(onset_s * TIMING.sample_rate_hz) for onset_s in onsets_s]
    for begin, end in list(pairwise([*begins, len(words)]))[2::_CLICK_EVERY]:
        words[begin:end] = 0
        noise = random.uniform(-_CLICK_LEVEL, _CLICK_LEVEL, _CLICK_SAMPLES)
        words[begin : begin + _CLICK_SAMPLES] = noise[: len(words) - begin]
    silence = np.zeros(round(SILENT_S * TIMING.sample_rate_hz), np.float32)
    return np.concatenate([silence, words])


def _until(times_s: Floats, end_s: float) -> Floats:
    return times_s[times_s <= end_s]


async def _speak(plan: Plan, relay: Relay | None) -> float:
    """Wait while the microphone speaks; when the weather cleared is returned."""
    if relay is not None:
        relay.armed = True
    await asyncio.sleep(SILENT_S + plan.seconds)
    if relay is not None:
        relay.armed = False
    cleared_s = time.monotonic()
    await asyncio.sleep(plan.fair_s + _AFTER_S)
    return cleared_s


async def _interrupt(call: Call, seed: int) -> tuple[float | None, float | None]:
    """Give the avatar a long text, stop it in the middle: to silence and to being told, in ms."""
    speech, _ = syllables(_MONOLOGUE_S, seed, _MONOLOGUE)
    address = call.notes.session_url.replace("http", "ws", 1) + "/audio"
    async with connect(address) as socket:
        await socket.send(np.round(speech * _FULL_SCALE).astype("<i2").tobytes())
        await asyncio.sleep(_INTERRUPT_AFTER_S)
        asked_s = time.monotonic()
        call.say({"type": "interrupt"})
        await asyncio.sleep(_LISTEN_S)
    level = call.notes.sound.packet_level()
    spoke = (level.between(asked_s - 1, asked_s).values > _SILENCE_LEVEL).any()
    silent_s = falls_silent_s(level, asked_s, _SILENCE_LEVEL, _SILENCE_STAYS_S) if spoke else None
    told_s = [at for at, _ in call.notes.messages_of("interrupted") if at >= asked_s]
    return (
        (silent_s - asked_s) * 1000 if silent_s is not None else None,
        (told_s[0] - asked_s) * 1000 if told_s else None,
    )
