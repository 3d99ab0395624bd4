"""The doctor's findings, as a table and as JSON."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import run_server
from engine.doctor import app, examine, judge_weights
from engine.stream.backends import AttentionKind, Backend, Gpu, Machine
from engine.stream.machine import this_machine
from engine.vexpress.live.training_notes import NOTES
from engine.vexpress.presets import PRESETS
from engine.vexpress.weights import PUBLISHED_FILES

SERVER = Machine(
    torch_version="2.13.0+cu130",
    cuda_version="13.0",
    gpu=Gpu(name="NVIDIA H100", capability=(9, 0), memory_bytes=80 << 30),
    compiler="/usr/bin/g++",
    triton_version="3.7.1",
)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder with every published file in its place, empty."""
    folder = tmp_path / "models"
    for file in PUBLISHED_FILES:
        place = folder / file.place
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    for path in (folder / "taesd").iterdir():
        path.unlink()
    return folder


def test_everything_is_looked_at(tmp_path: Path) -> None:
    found = examine(SERVER, tmp_path)
    assert {item.name for item in found.backends} == set(Backend) - {Backend.AUTO}
    assert {item.name for item in found.attention} == set(AttentionKind)
    assert {"libvpx", "libx264"} <= {item.name for item in found.encoders if item.available}
    assert found.automatic.name == Backend.INDUCTOR_GRAPH


def test_weights_are_found_file_by_file(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    assert not any(item.available for item in judge_weights(folder))
    (folder / "v-express").mkdir(parents=True)
    (folder / "v-express" / "reference_net.bin").touch()
    found = {item.name: item for item in judge_weights(folder)}
    assert {name for name in found if found[name].available} == {"folder", "reference_net"}
    assert found["denoising_unet"].reason == f"missing: {folder}/v-express/denoising_unet.bin"


def test_presets_are_judged_by_the_weights(models: Path) -> None:
    judged = {item.name: item for item in examine(SERVER, models).presets}
    assert list(judged) == [preset.name for preset in PRESETS]
    assert {name for name in judged if judged[name].available} == {"stock"}
    assert "for one H100" in judged["h100-512"].reason
    assert "training.json there does not say so" in judged["h100-512"].reason
    assert judged["stock"].reason.startswith("512x512, for the published weights")
    (models / "v-express" / NOTES).write_text('{"mixed_noise_levels": true}')
    assert all(item.available for item in examine(SERVER, models).presets)
    (models / "taesd").rmdir()
    judged = {item.name: item for item in examine(SERVER, models).presets}
    assert all(item.reason.endswith("; weights are missing") for item in judged.values())


def test_the_table_names_all_and_why_not(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["--weights", str(tmp_path)], env={"COLUMNS": "200"})
    assert ran.exit_code == 0
    names = [
        *AttentionKind,
        *set(Backend) - {Backend.AUTO},
        "triton",
        "memory",
        "libx264",
        "tiny_vae",
    ]
    names += [preset.name for preset in PRESETS]
    assert all(name in ran.stdout for name in names)
    if this_machine().gpu is None:
        assert "needs a CUDA GPU" in ran.stdout
        assert "`auto` is eager" in ran.stdout


def test_json_says_the_same(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["--json", "--weights", str(tmp_path)])
    found = json.loads(ran.stdout)
    assert found["machine"]["torch_version"] == this_machine().torch_version
    assert {item["name"] for item in found["backends"]} == set(Backend) - {Backend.AUTO}
    assert found["memory_bytes"] > 1 << 28


def test_the_server_passes_on_to_the_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_server.main(["doctor", "--json"])
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out)["python"] == sys.version.split()[0]


@pytest.mark.parametrize("arguments", [["--port", "x"], ["other"], ["--size", "64", "doctor"]])
def test_everything_else_is_for_the_server(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_server.main(arguments)
    assert ended.value.code == 2
    assert "run_server.py doctor" not in capsys.readouterr().err.splitlines()[0]


def test_the_servers_variables_still_count(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VEXPRESS_PORT", "x")
    with pytest.raises(SystemExit) as ended:
        run_server.main([])
    assert ended.value.code == 2
    assert "--port" in capsys.readouterr().err
