"""Published files to safetensors: the same tensors, all files or none."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.vexpress.checkpoints import CheckpointError, load_denoising_unet, load_reference_net
from engine.vexpress.convert import StoredType, convert, make_networks
from engine.vexpress.key_map import MOTION_FILE, MOTION_MARK, NetworkKind
from tests.engine.vexpress.tiny import TINY, TINY_UNET, published_state, randomise


@pytest.fixture
def networks(tmp_path: Path) -> dict[NetworkKind, nn.Module]:
    """Tiny networks; their five published files lie in `checkpoints`."""
    made = {kind: make() for kind, make in make_networks(TINY).items()}
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for kind, network in made.items():
        randomise(network)
        state = published_state(kind, network)
        motion = {key: x for key, x in state.items() if MOTION_MARK in key}
        if motion:
            torch.save(motion, folder / f"{MOTION_FILE}.bin")
        torch.save({k: x for k, x in state.items() if k not in motion}, folder / f"{kind}.bin")
    return made


def same(first: nn.Module, second: nn.Module) -> bool:
    other: dict[str, Tensor] = second.state_dict()
    return all(torch.equal(tensor, other[name]) for name, tensor in first.state_dict().items())


def test_converted_files_give_the_same_networks(
    networks: dict[NetworkKind, nn.Module], tmp_path: Path
) -> None:
    written = convert(tmp_path / "checkpoints", tmp_path / "out", TINY)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        path.name for path in written
    )
    by_name = {path.stem: path for path in written}
    assert same(
        load_denoising_unet(TINY_UNET, by_name["denoising_unet"]),
        networks[NetworkKind.DENOISING_UNET],
    )
    assert same(
        load_reference_net(TINY_UNET, by_name["reference_net"]),
        networks[NetworkKind.REFERENCE_NET],
    )


@pytest.mark.usefixtures("networks")
def test_converting_twice_and_to_half_the_size(tmp_path: Path) -> None:
    whole = convert(tmp_path / "checkpoints", tmp_path / "out", TINY)
    sizes = [path.stat().st_size for path in whole]
    half = convert(tmp_path / "out", tmp_path / "half", TINY, StoredType.FLOAT16)
    assert all(path.stat().st_size < size for path, size in zip(half, sizes, strict=True))


@pytest.mark.usefixtures("networks")
def test_one_bad_file_leaves_nothing_behind(tmp_path: Path) -> None:
    torch.save({"latents": torch.zeros(1)}, tmp_path / "checkpoints" / "audio_projection.bin")
    with pytest.raises(CheckpointError, match=r"audio_projection\.bin is no audio_projection"):
        convert(tmp_path / "checkpoints", tmp_path / "out", TINY)
    assert not list((tmp_path / "out").iterdir())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no reference_net"):
        convert(tmp_path, tmp_path / "out", TINY)
