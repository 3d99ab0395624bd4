"""How long from the microphone to the lips? Measured from outside, over real WebRTC.

    python -m benchmarks.latency [--quick] [--only clean loss_3] [--plots FOLDER] [--record]

Without `--url` it starts a server of its own and stops it afterwards. Headless visitors speak
made-up words and clicks at exact real time, through a relay that loses, delays and reorders
packets, alone or several at once, and decode what comes back. A strip in the pictures says which
frame each of them is (`streamer/timecode.py`; only servers with `--benchmark --timecode` paint it),
so that delays, skew, drops and freezes come from decoded pixels and decoded Opus, on one clock.
Nothing that the server says of itself enters a result. The last line is JSON: eight numbers for
each scenario.
"""

import argparse
import asyncio
import json
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.call import CallError
from benchmarks.harness import Spread, Value, print_spreads, result
from benchmarks.latency_plots import plot
from benchmarks.lips import find
from benchmarks.scenarios import SCENARIOS, SILENT_S, Outcome, Plan, run_scenario
from benchmarks.server_process import SERVER, ServerError, running_server
from benchmarks.standing import held_ms

_FLAGS = ("--benchmark", "--timecode", "--max-sessions", "5", "--no-admit-by-cost")
_SPEECH_S, _FAIR_S = 22.0, 6.0
_QUICK_SPEECH_S, _QUICK_FAIR_S = 2.5, 0.5
_QUICK = ("clean", "loss_3")
_DECIMALS = 1


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    url: str | None
    program: Path
    plan: Plan
    only: tuple[str, ...]
    plots: Path | None
    record: bool
    lips: bool  # read the mouth itself too, in the clean scenario
    workers: int = 1


def main() -> int:
    """Measure, print; 1 when nothing could be measured."""
    options = _parse(sys.argv[1:])
    try:
        flags = (*_FLAGS, "--workers", str(options.workers))
        own = running_server(flags, options.program) if options.url is None else None
        with own or nullcontext() as server:
            url = options.url or (server.url if server else "")
            return asyncio.run(measure(options, url.rstrip("/")))
    except (CallError, ServerError, OSError) as error:
        print(f"nothing measured: {error}", file=sys.stderr)
        return 1


async def measure(options: Options, url: str) -> int:
    """Run the scenarios, read, print; 1 when no word was seen."""
    outcomes: dict[str, Outcome] = {}
    for scenario in SCENARIOS:
        if scenario.name in options.only:
            outcome = await run_scenario(url, scenario, options.plan)
            if not any(outcome.notes.codes):
                raise CallError("no time code in the pictures: start the server with " + _flags())
            outcomes[scenario.name] = outcome
            _show(scenario.name, outcome)
    if options.lips and "clean" in outcomes:
        await asyncio.to_thread(_show_lips, outcomes["clean"])
    _show_standing(options.only)
    if options.plots is not None:
        await asyncio.to_thread(plot, outcomes, options.plots)
    rows = {each.name: _row(outcomes.get(each.name)) for each in SCENARIOS}
    if options.record:
        print(f"recorded in {result('latency', rows).record()}")
    print(json.dumps(rows), flush=True)
    return 0 if all(rows[name]["mic_to_lips_p50_ms"] for name in outcomes) else 1


def _flags() -> str:
    return " ".join(_FLAGS[:2])


def _row(outcome: Outcome | None) -> dict[str, Value]:
    if outcome is None:
        return dict.fromkeys(ROW)
    return {
        name: round(value, _DECIMALS) if isinstance(value, float) else value
        for name, value in outcome.row().items()
    }


ROW = (
    "mic_to_lips_p50_ms",
    "mic_to_lips_p95_ms",
    "first_frame_ms",
    "interrupt_to_silence_ms",
    "skew_mean_ms",
    "skew_p95_ms",
    "jitter_ms",
    "freezes",
)


def _show(name: str, outcome: Outcome) -> None:
    print_spreads(f"{name}: milliseconds, measured from outside", outcome.spreads())
    said = [f"{key} {_text(value)}" for key, value in (outcome.counts() | outcome.row()).items()]
    print(", ".join(said))


def _text(value: Value) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _show_lips(clean: Outcome) -> None:
    """The mouth itself, found by landmarks: it knows nothing of the time code."""
    findings = find(clean.notes, np.empty(0), SILENT_S)
    rows = {
        "sound sent to mouth": findings.sent_to_mouth,
        "sound sent to sound heard": findings.sent_to_heard,
        "sound heard to mouth": findings.heard_to_mouth,
    }
    print(f"clean, whole curves compared, the mouth read by {findings.method}:")
    for name, lag in rows.items():
        if lag is not None:
            print(f"  {name}: {1000 * lag.delay_s:.0f} ms (r {lag.correlation:.2f})")


def _show_standing(names: tuple[str, ...]) -> None:
    """The buffers alone, in simulated time: what was removed."""
    rows = {}
    for scenario in SCENARIOS:
        if scenario.sessions == 1 and scenario.name in names:
            for buffer, held in held_ms(scenario.weather).items():
                rows[f"{scenario.name}, {buffer}"] = Spread.of(held)
    print_spreads("The microphone's packets held by the receiving buffer alone, milliseconds", rows)


def _parse(arguments: list[str]) -> Options:
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--url", help=f"a server that runs already, with {_flags()}")
    parser.add_argument("--program", type=Path, default=SERVER, help="the server to start")
    parser.add_argument("--quick", action="store_true", help="two short scenarios")
    parser.add_argument("--only", nargs="+", choices=names, help="these scenarios")
    parser.add_argument("--seconds", type=float, help="how long to speak in each")
    parser.add_argument("--workers", type=int, default=1, help="engine processes of that server")
    parser.add_argument("--avatar", help="an avatar's id")
    parser.add_argument("--seed", type=int, default=0, help="of words and weather")
    parser.add_argument("--plots", type=Path, help="a folder for pictures of the results")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results/")
    given = parser.parse_args(arguments)
    seconds, fair_s = (_QUICK_SPEECH_S, _QUICK_FAIR_S) if given.quick else (_SPEECH_S, _FAIR_S)
    plan = Plan(given.seconds or seconds, fair_s, given.seed, given.avatar, not given.quick)
    only = tuple(given.only or (_QUICK if given.quick else names))
    lips = not given.quick
    return Options(
        given.url, given.program, plan, only, given.plots, given.record, lips, given.workers
    )


if __name__ == "__main__":
    sys.exit(main())
