"""A result names its machine and commit and survives being written down."""

import json
from pathlib import Path

import pytest

from benchmarks.harness import (
    Result,
    Spread,
    commit_name,
    device_name,
    finish,
    print_spreads,
    result,
)


def test_a_line_is_json_with_short_numbers() -> None:
    outcome = Result("latency", "A CPU, 2 cores", "abc1234", {"p50_ms": 1.23456, "n": 3, "x": None})
    assert json.loads(outcome.line()) == {
        "name": "latency",
        "device": "A CPU, 2 cores",
        "commit": "abc1234",
        "p50_ms": 1.235,
        "n": 3,
        "x": None,
    }


def test_results_of_one_machine_gather_in_one_file(tmp_path: Path) -> None:
    outcome = Result("latency", "A (R) CPU, 2 cores", "abc1234", {})
    assert (
        outcome.record(tmp_path) == outcome.record(tmp_path) == tmp_path / "a-r-cpu-2-cores.jsonl"
    )
    assert len((tmp_path / "a-r-cpu-2-cores.jsonl").read_text().splitlines()) == 2


def test_the_processor_is_named_as_the_system_names_it(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Fast Chip 9\nflags\t: a b\n")
    assert device_name(info).startswith("Fast Chip 9, ")
    assert device_name(info).rsplit(" ", 1)[1] in {"core", "cores"}
    assert device_name(tmp_path / "none")


def test_the_commit_is_named_or_said_to_be_none(tmp_path: Path) -> None:
    assert commit_name(tmp_path) == "none"
    assert result("x", {}).commit


def test_a_spread_by_hand_and_of_nothing() -> None:
    spread = Spread.of([1.0, 2.0, 3.0])
    assert (spread.count, spread.mean, spread.p50) == (3, 2.0, 2.0)
    assert spread.sd == pytest.approx((2 / 3) ** 0.5)
    assert Spread.of([]) == Spread(0, None, None, None, None, None)


def test_the_last_line_printed_is_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_spreads("times", {"a": Spread.of([1.0]), "nothing": Spread.of([])})
    finish(Result("x", "d", "c", {"v": 1}), record=False)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["v"] == 1
