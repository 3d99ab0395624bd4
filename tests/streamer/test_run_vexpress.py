"""The server with the V-Express engine: what it refuses, and a call."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import run_server
from benchmarks.server_process import running_server
from engine.vexpress.live.training_notes import NOTES
from engine.vexpress.presets import PRESETS
from engine.vexpress.weights import PUBLISHED_FILES
from tests.engine.vexpress.tiny_models import FAST, SIZES, make_tiny_vae, write_model_folder
from tests.streamer.visitor import Visitor, visit

VAE = Path(__file__).parents[1] / "golden" / "vexpress" / "weights" / "tiny_vae_A"
PRESET_NAMES = ", ".join(preset.name for preset in PRESETS)


@pytest.fixture
def empty_files(tmp_path: Path) -> Path:
    """A folder with every published file in its place, and nothing in them."""
    for file in PUBLISHED_FILES:
        place = tmp_path / file.place
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    return tmp_path


def refusal(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    """The one line that is the answer to `flags`."""
    with pytest.raises(SystemExit) as ended:
        run_server.main(["--engine", "vexpress", "--port", "0", *flags])
    out, error = capsys.readouterr()
    assert (ended.value.code, out, error.count("\n")) == (2, "", 1)
    assert error.startswith("run_server.py: ")
    return error


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--preset", "a100"), f"preset 'a100': expected one of: {PRESET_NAMES}"),
        (("--backend", "magic"), "backend 'magic': expected one of auto, eager, cuda-graph"),
        (("--attention", "close"), "attention 'close': expected one of sdpa, xformers"),
        (("--size", "300"), "multiples of 8"),
        (("--model-config", "nowhere.json"), "nowhere.json: not readable"),
        (("--preset", "4090-512"), "expected stock, or --force-schedule"),
    ],
)
def test_what_cannot_be_is_one_line(
    flags: tuple[str, ...], told: str, empty_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told in refusal(capsys, "--model-dir", str(empty_files), *flags)


def test_missing_weights_are_named_with_what_fetches_them(
    empty_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (empty_files / "taesd").iterdir():
        path.unlink()
    (empty_files / "taesd").rmdir()
    (empty_files / "v-express" / "reference_net.bin").unlink()
    told = refusal(capsys, "--model-dir", str(empty_files))
    missing = f"{empty_files}/v-express/reference_net.bin, {empty_files}/taesd;"
    assert f"weights are missing: {missing} get them by: python -m" in told


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--device", "cuda"), "--device cuda: PyTorch sees no GPU here, expected auto or cpu"),
        (("--backend", "cuda-graph"), "not available here. Available: auto, eager"),
    ],
)
def test_a_gpu_that_is_not_there_is_one_line(
    flags: tuple[str, ...], told: str, empty_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told in refusal(capsys, "--model-dir", str(empty_files), *flags)


def write_models(folder: Path) -> None:
    """Small networks that say they were trained for piles of noise levels; pictures in colour."""
    write_model_folder(folder, VAE, FAST)
    (folder / "v-express" / NOTES).write_text(json.dumps({"mixed_noise_levels": True}))
    decoder = make_tiny_vae(4)
    with torch.no_grad():
        decoder.decoder.layers[-1].weight.mul_(30)
    decoder.save_pretrained(folder / "taesd")


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[str]:
    """The address of a real server; its log is read afterwards."""
    models = tmp_path / "model_ckpts"
    write_models(models)
    flags = ["--engine", "vexpress", "--preset", "4090-512", "--size", "128", "--device", "cpu"]
    flags += ["--model-dir", str(models), "--model-config", str(models / SIZES)]
    flags += ["--data-dir", str(tmp_path / "data"), "--log-level", "info"]
    with running_server(flags, surroundings={"OMP_NUM_THREADS": "1"}) as process:
        yield process.url
        log = process.log.read_text()
    assert "preset 4090-512, 10 frames: eager (auto without a GPU" in log
    assert "preset 4090-512, tiny decoder: eager" in log


def count_changes(visitor: Visitor) -> int:
    """Pictures that differ visibly from the one before."""
    return sum(each.change > 1 for each in visitor.video)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_visitor_sees_hears_and_interrupts(serving: str) -> None:
    async with visit(serving) as visitor:
        config = (await visitor.http.get("/v1/config")).json()
        assert (config["engine"], config["size"]) == ("vexpress", 128)
        await visitor.connect()
        # Two more pictures than the one that was prepared: a busy machine shows few in time.
        await visitor.wait_for(lambda: count_changes(visitor) >= 2, within_s=90)
        await visitor.wait_for(lambda: any(each.strength > 0.05 for each in visitor.audio))
        visitor.say(type="interrupt")
        await visitor.wait_for(lambda: visitor.heard("interrupted"))
        assert visitor.heard("interrupted")[0]["epoch"] == 1
        count = len(visitor.video)
        await visitor.wait_for(lambda: len(visitor.video) > count + 10)
