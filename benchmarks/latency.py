"""How long from the microphone to the lips? Measured from outside, over real WebRTC.

    python -m benchmarks.latency [--url http://127.0.0.1:8010] [--seconds 60] [--avatar ID]

Without `--url` it starts a server of its own and stops it afterwards. A headless visitor speaks
made-up words at exact real time, decodes what comes back and reads everything from that: see
`benchmarks/lips.py` for what is compared with what, `benchmarks/receiving.py` for what this side
adds. Nothing that the server says of itself enters a result, save in fields named `server_...`.
"""

import argparse
import asyncio
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from websockets.asyncio.client import connect

from benchmarks.call import Call, CallError, Notes, calling
from benchmarks.curves import Lag, falls_silent_s, gaps_s
from benchmarks.harness import Spread, Value, finish, print_spreads, result
from benchmarks.lips import Findings, find, frame_gaps_ms, frames_per_second
from benchmarks.server_process import SERVER, ServerError, running_server
from engine.config import TIMING
from tests.speech import Pace, syllables

_SILENT_S = 3.0  # before the first word: how the mouth looks at rest
_AFTER_S = 1.0
_CONNECT_WITHIN_S = 15.0
_FREEZE_S = 0.19
_MONOLOGUE = Pace((30, 30), (0.0, 0.01))  # without a pause, to be interrupted
_MONOLOGUE_S = 8.0
_INTERRUPT_AFTER_S = 2.5
_LISTEN_S = 1.5
_SILENCE_LEVEL = 0.01  # -40 dB of full scale
_SILENCE_STAYS_S = 0.25
_FULL_SCALE = 32767


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    url: str | None
    program: Path
    seconds: float
    avatar: str | None
    seed: int
    only_json: bool
    record: bool


@dataclass(frozen=True, slots=True)
class Interruption:
    """From asking for silence to having it, and to being told so."""

    silence_ms: float | None
    acknowledged_ms: float | None


def main() -> int:
    """Measure, print; 1 when nothing could be measured."""
    options = _parse(sys.argv[1:])
    try:
        own = running_server(program=options.program) if options.url is None else None
        with own or nullcontext() as server:
            url = options.url or (server.url if server else "")
            return asyncio.run(measure(options, url.rstrip("/")))
    except (CallError, ServerError, OSError) as error:
        print(f"nothing measured: {error}", file=sys.stderr)
        return 1


async def measure(options: Options, url: str) -> int:
    """Call, read, print; 1 when no word was seen on the lips."""
    words, onsets_s = syllables(options.seconds, options.seed)
    silence = np.zeros(round(_SILENT_S * TIMING.sample_rate_hz), np.float32)
    onsets_s = onsets_s + _SILENT_S
    async with calling(url, np.concatenate([silence, words]), options.avatar) as call:
        await call.first_picture(_CONNECT_WITHIN_S)
        await asyncio.sleep(_SILENT_S + options.seconds + _AFTER_S)
        talked_s = time.monotonic()
        packets = await call.packets()
        interruption = await _interrupt(call, options.seed)
    notes = call.notes
    findings = await asyncio.to_thread(find, notes, onsets_s, _SILENT_S)
    values = _values(notes, findings, talked_s) | packets
    values |= {
        "interrupt_to_silence_ms": interruption.silence_ms,
        "interrupt_to_acknowledged_ms": interruption.acknowledged_ms,
        "seconds": options.seconds,
        "words": len(onsets_s),
    }
    if not options.only_json:
        _show(notes, findings)
    finish(result("latency", values), record=options.record)
    return 0 if values["mic_to_lips_p50_ms"] is not None else 1


async def _interrupt(call: Call, seed: int) -> Interruption:
    """Give the avatar a long text to speak, and stop it in the middle."""
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
    return Interruption(
        (silent_s - asked_s) * 1000 if silent_s is not None else None,
        (told_s[0] - asked_s) * 1000 if told_s else None,
    )


def _values(notes: Notes, findings: Findings, talked_s: float) -> dict[str, Value]:
    shown_s = notes.pictures_s[notes.pictures_s <= talked_s]
    lips = Spread.of(findings.milliseconds("lips_s"))
    ears = Spread.of(findings.milliseconds("ears_s"))
    skew = Spread.of(findings.milliseconds("skew_s"))
    pauses = Spread.of(frame_gaps_ms(shown_s))
    server_lips, server_skew = notes.stats("mic_to_lips_ms"), notes.stats("skew_ms")
    return {
        "mic_to_lips_p50_ms": lips.p50,
        "mic_to_lips_p95_ms": lips.p95,
        "mic_to_lips_mean_ms": lips.mean,
        "mic_to_ears_p50_ms": ears.p50,
        "mic_to_ears_p95_ms": ears.p95,
        "skew_mean_ms": skew.mean,
        "skew_p95_ms": skew.p95,
        "skew_sd_ms": skew.sd,
        "words_seen": lips.count,
        "words_heard": ears.count,
        "curve_mic_to_lips_ms": _delay_ms(findings.sent_to_mouth),
        "curve_mic_to_ears_ms": _delay_ms(findings.sent_to_heard),
        "curve_skew_ms": _delay_ms(findings.heard_to_mouth),
        "curve_correlation": _likeness(findings.sent_to_mouth),
        "first_frame_ms": float(shown_s[0] - notes.posted_s) * 1000,
        "freezes": len(gaps_s(shown_s, _FREEZE_S)),
        "fps": frames_per_second(shown_s),
        "frame_gap_sd_ms": pauses.sd,
        "frame_gap_p99_ms": pauses.p99,
        "equal_timestamps": len(notes.shown) - len({stamp for stamp, _ in notes.shown}),
        "mouth_read_by": findings.method,
        "server_mic_to_lips_ms": float(np.median(server_lips)) if len(server_lips) else None,
        "server_skew_ms": float(np.median(server_skew)) if len(server_skew) else None,
        "server_repeated_frames": _last(notes, "repeated_frames"),
        "server_dropped_frames": _last(notes, "dropped_frames"),
        "server_dropped_samples": _last(notes, "dropped_samples"),
    }


def _show(notes: Notes, findings: Findings) -> None:
    film = notes.film()
    decoding_ms = np.array([1000 * (picture.shown_s - picture.arrived_s) for picture in film])
    rows = {
        "microphone to lips": Spread.of(findings.milliseconds("lips_s")),
        "microphone to ears": Spread.of(findings.milliseconds("ears_s")),
        "lips after ears": Spread.of(findings.milliseconds("skew_s")),
        "between pictures": Spread.of(frame_gaps_ms(notes.pictures_s)),
        "decoding here (included)": Spread.of(decoding_ms),
        "server: microphone to lips": Spread.of(notes.stats("mic_to_lips_ms")),
        "server: skew": Spread.of(notes.stats("skew_ms")),
    }
    print_spreads("Milliseconds, measured from outside", rows)
    frame_ms = 1000 * TIMING.frame_s
    print(f"One word's lips are known to one frame ({frame_ms:.0f} ms); read by {findings.method}.")


def _delay_ms(found: Lag | None) -> float | None:
    return found.delay_s * 1000 if found else None


def _likeness(found: Lag | None) -> float | None:
    return found.correlation if found else None


def _last(notes: Notes, name: str) -> float | None:
    values = notes.stats(name)
    return float(values[-1]) if len(values) else None


def _parse(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--url", help="a server that runs already")
    parser.add_argument("--program", type=Path, default=SERVER, help="the server to start")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to speak")
    parser.add_argument("--avatar", help="an avatar's id")
    parser.add_argument("--seed", type=int, default=0, help="of the words")
    parser.add_argument("--json", action="store_true", help="print the JSON line only")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results/")
    given = parser.parse_args(arguments)
    return Options(
        given.url,
        given.program,
        given.seconds,
        given.avatar,
        given.seed,
        given.json,
        given.record,
    )


if __name__ == "__main__":
    sys.exit(main())
