"""The command that compares with stored results: its lines and its exit codes."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import typer
from safetensors.torch import save_file
from torch import Tensor

from engine.vexpress import check as command
from engine.vexpress.check import ALL_AGREE, NOT_UNDERSTOOD, ONE_DIFFERS, check_file, exit_code
from engine.vexpress.goldens import (
    Comparison,
    Golden,
    compare,
    compare_exactly,
    read_described,
    read_golden,
)

GUIDER = "c_v_kps_guider_A.safetensors"
ROOT = Path(__file__).parents[3]


def checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The command's exit code and lines, without another process."""
    with pytest.raises(typer.Exit) as ended:
        command._main(folder)
    return ended.value.exit_code, capsys.readouterr().out.splitlines()


def rewrite(source: Path, target: Path, change: Callable[[dict[str, Tensor]], None]) -> None:
    """Copy a golden with its tensors changed."""
    meta, tensors = read_described(source)
    change(tensors)
    save_file(tensors, target, metadata={"meta": json.dumps(meta)})


@pytest.fixture
def folder(committed: Path, tmp_path: Path) -> Path:
    """One golden and its weights."""
    (tmp_path / "weights").mkdir()
    for name in (GUIDER, "weights/v_kps_guider_A.safetensors"):
        (tmp_path / name).write_bytes((committed / name).read_bytes())
    return tmp_path


@pytest.mark.slow
def test_agreement_is_one_line_and_exit_code_0(folder: Path) -> None:
    (folder / "README.md").write_text("not a golden")
    done = subprocess.run(
        [sys.executable, "-m", "engine.vexpress.check", str(folder)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == ALL_AGREE, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith(GUIDER)
    assert line.endswith("pass")


def test_a_difference_outweighs_a_file_not_understood(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def nudge(tensors: dict[str, Tensor]) -> None:
        tensors["case1/out/kps_features"][0, 0, 0, 0, 0] += 1e-2

    rewrite(folder / GUIDER, folder / GUIDER, nudge)
    (folder / "z_other.json").write_text("{}")
    code, (differing, unknown) = checked(folder, capsys)
    assert code == ONE_DIFFERS
    assert "FAIL (1, worst case1/kps_features)" in differing
    assert "not understood" in unknown


def test_nothing_to_check_is_not_agreement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked(tmp_path, capsys) == (NOT_UNDERSTOOD, [])
    assert checked(tmp_path / "absent", capsys) == (NOT_UNDERSTOOD, [])


def test_files_that_are_not_understood_say_why(folder: Path) -> None:
    (folder / "cut.safetensors").write_bytes((folder / GUIDER).read_bytes()[:1000])
    (folder / "list.json").write_text("[1, 2]")
    save_file({"in/x": torch.zeros(1)}, folder / "bare.safetensors")
    meta = {"meta": json.dumps({"kind": "tarot", "cases": []})}
    save_file({"in/x": torch.zeros(1)}, folder / "tarot.safetensors", metadata=meta)
    meta = {"meta": json.dumps({"kind": "v_kps_guider", "cases": [], "config": "A"})}
    save_file({"in/x": torch.zeros(1)}, folder / "hollow.safetensors", metadata=meta)
    meta = {"meta": json.dumps({"kind": "motion_module", "cases": []})}
    save_file({"in/x": torch.zeros(1)}, folder / "vague.safetensors", metadata=meta)
    save_file({"in/x": torch.zeros(1)}, folder / "array.safetensors", metadata={"meta": "[1]"})
    (folder / "rows.json").write_text('{"rows": [{"num_frames": 5}]}')
    torch.save({"x": torch.zeros(1)}, folder / "pickled.pt")
    for name, message in (
        ("cut.safetensors", "not readable"),
        ("list.json", "does not say its kind"),
        ("bare.safetensors", "neither its kind nor its cases"),
        ("tarot.safetensors", "'tarot' is not known"),
        ("hollow.safetensors", "nothing to compare"),
        ("vague.safetensors", "num_transformer_block"),
        ("array.safetensors", "no JSON object"),
        ("rows.json", "context_frames"),
        ("pickled.pt", "ending in .safetensors or .json"),
    ):
        assert folder / name in command.golden_files(folder)
        verdict = check_file(folder / name)
        assert verdict.exit_code == NOT_UNDERSTOOD
        assert message in verdict.line()


def test_nothing_passes_that_was_not_looked_at(folder: Path) -> None:
    meta, tensors = read_described(folder / GUIDER)
    first, second = meta["cases"]
    without_result = {name: x for name, x in tensors.items() if not name.startswith("case0/out")}
    without_case = {name: x for name, x in tensors.items() if not name.startswith("case0/")}
    for name, cases, kept, message in (
        ("dropped", [second], without_case, "pass"),
        ("unnamed", [{}, second], without_case, "case 0 has no name"),
        ("no_result", [first, second], without_result, "case0 stores no result"),
        ("no_case", [second], tensors, "case0 is not among the cases"),
    ):
        described = {"meta": json.dumps(meta | {"cases": cases})}
        path = folder / f"{name}.safetensors"
        save_file(kept, path, metadata=described)
        assert message in check_file(path).line()


def test_goldens_may_have_any_name(folder: Path, committed: Path) -> None:
    (folder / GUIDER).rename(folder / "x.safetensors")
    windows = (committed / "g_context_windows.json").read_bytes()
    (folder / "y.json").write_bytes(windows)
    for name in ("x.safetensors", "y.json"):
        assert check_file(folder / name).exit_code == ALL_AGREE


def test_a_golden_stored_in_float64_is_computed_and_judged_in_float64(folder: Path) -> None:
    def widen(tensors: dict[str, Tensor]) -> None:
        for name in list(tensors):
            tensors[name] = tensors[name].double()

    rewrite(folder / GUIDER, folder / GUIDER, widen)
    assert check_file(folder / GUIDER).exit_code == ONE_DIFFERS  # still rounded to float32

    def compute(tensors: dict[str, Tensor]) -> None:
        ours = command.GOLDEN_KINDS["v_kps_guider"]
        assert len(list(ours(read_golden(folder / GUIDER)))) == 2
        for case, features in exact_features(folder).items():
            tensors[f"{case}/out/kps_features"] = features

    rewrite(folder / GUIDER, folder / GUIDER, compute)
    verdict = check_file(folder / GUIDER)
    assert verdict.exit_code == ALL_AGREE
    assert verdict.worst.tolerance == 1e-9


def exact_features(folder: Path) -> dict[str, Tensor]:
    """The guider of the golden in float64, written out."""
    _, weights = read_described(folder / "weights" / "v_kps_guider_A.safetensors")
    golden = read_golden(folder / GUIDER)
    found = {}
    for case in golden.cases:
        images = golden.inputs(case["name"])["kps_images"].double()
        frames = []
        for frame in images.unbind(2):
            x = frame
            for name in ["conv_in", *(f"blocks.{index}" for index in range(6)), "conv_out"]:
                stride = 2 if name in {"blocks.1", "blocks.3", "blocks.5"} else 1
                weight, bias = (weights[f"{name}.{part}"].double() for part in ("weight", "bias"))
                x = torch.nn.functional.conv2d(x, weight, bias, stride, padding=1)
                x = x if name == "conv_out" else x * x.sigmoid()
            frames.append(x)
        found[case["name"]] = torch.stack(frames, dim=2)
    return found


def test_a_wrong_shape_and_not_a_number_never_pass() -> None:
    stored = torch.ones(4)
    assert not compare("x", torch.ones(2, 2), stored).passed
    assert not compare("x", torch.tensor([1, 1, 1, torch.nan]), stored).passed
    assert compare("x", torch.ones(4), stored).passed
    assert compare_exactly("x", torch.ones(4), stored).passed
    assert not compare_exactly("x", torch.tensor([1, 1, 1, 1 + 1e-7]), stored).passed


def test_the_worst_comparison_is_measured_in_tolerances(monkeypatch: pytest.MonkeyPatch) -> None:
    def runner(_golden: Golden) -> Iterator[Comparison]:
        yield Comparison("loose", 1.0, 1e-3, 1e-2)
        yield Comparison("broken", torch.nan, torch.nan, 1e-2)
        yield Comparison("tight", 1e-5, 1e-5, 1e-6)

    monkeypatch.setitem(command.GOLDEN_KINDS, "context_windows", runner)
    verdict = check_file(ROOT / "tests" / "golden" / "vexpress" / "g_context_windows.json")
    assert verdict.worst.name == "broken"
    assert "FAIL (2" in verdict.line()
    assert exit_code([verdict]) == ONE_DIFFERS
