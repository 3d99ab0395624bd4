"""Files into networks: what loads, and what is refused in which words."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.vexpress.checkpoints import (
    CheckpointError,
    load_audio_projection,
    load_denoising_unet,
    load_guider,
    load_reference_net,
    read_tensors,
)
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.guider import VKpsGuider
from engine.vexpress.key_map import MOTION_MARK, NetworkKind
from engine.vexpress.reference_net import ReferenceNet
from tests.engine.vexpress.tiny import TINY, TINY_UNET, published_state, randomise

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def unet_state() -> State:
    network = DenoisingUNet(TINY_UNET)
    randomise(network)
    return published_state(NetworkKind.DENOISING_UNET, network)


@pytest.fixture(scope="module")
def reference_state() -> State:
    network = ReferenceNet(TINY_UNET)
    randomise(network)
    return published_state(NetworkKind.REFERENCE_NET, network)


@pytest.fixture(scope="module")
def guider_state() -> State:
    network = VKpsGuider(TINY.guider)
    randomise(network)
    return published_state(NetworkKind.V_KPS_GUIDER, network)


def saved(state: object, path: Path) -> Path:
    torch.save(state, path)
    return path


def split(state: State) -> tuple[State, State]:
    motion = {key: x for key, x in state.items() if MOTION_MARK in key}
    return {key: x for key, x in state.items() if key not in motion}, motion


def equal(network: DenoisingUNet, state: State) -> bool:
    loaded = published_state(NetworkKind.DENOISING_UNET, network)
    return loaded.keys() == state.keys() and all(torch.equal(loaded[k], state[k]) for k in state)


def test_motion_modules_may_stand_in_a_file_of_their_own(unet_state: State, tmp_path: Path) -> None:
    plain, motion = split(unet_state)
    path, motion_path = saved(plain, tmp_path / "u.bin"), saved(motion, tmp_path / "m.bin")
    assert equal(load_denoising_unet(TINY_UNET, path, motion_path), unet_state)


def test_motion_modules_may_stand_in_the_unet_file(unet_state: State, tmp_path: Path) -> None:
    path = saved(unet_state, tmp_path / "unet.bin")
    assert equal(load_denoising_unet(TINY_UNET, path), unet_state)


def test_motion_modules_in_both_files_are_those_of_their_own(
    unet_state: State, tmp_path: Path
) -> None:
    _, motion = split(unet_state)
    stale = unet_state | {key: torch.zeros_like(x) for key, x in motion.items()}
    path, motion_path = saved(stale, tmp_path / "u.bin"), saved(motion, tmp_path / "m.bin")
    assert equal(load_denoising_unet(TINY_UNET, path, motion_path), unet_state)


@pytest.mark.parametrize("suffix", [".bin", ".pth", ".safetensors"])
def test_every_kind_of_file_gives_the_same_tensors(
    guider_state: State, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"guider{suffix}"
    if suffix == ".safetensors":
        save_file(guider_state, path)
    else:
        torch.save(guider_state, path)
    images = torch.rand(1, 3, 2, 16, 24)
    expected = VKpsGuider(TINY.guider)
    expected.load_state_dict(guider_state)
    assert torch.equal(load_guider(TINY.guider, path)(images), expected(images))


def test_files_of_the_older_pytorch_format_load(guider_state: State, tmp_path: Path) -> None:
    path = tmp_path / "guider.bin"
    torch.save(guider_state, path, _use_new_zipfile_serialization=False)
    assert read_tensors(path).keys() == guider_state.keys()


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16])
def test_half_precision_files_become_the_type_asked_for(
    guider_state: State, tmp_path: Path, stored: torch.dtype
) -> None:
    half = {key: x.to(stored) for key, x in guider_state.items()}
    network = load_guider(TINY.guider, saved(half, tmp_path / "guider.bin"), torch.float64)
    assert {x.dtype for x in network.state_dict().values()} == {torch.float64}
    assert torch.equal(network.conv_in.weight, half["conv_in.weight"].double())


def test_loaded_networks_are_ready_for_use_only(guider_state: State, tmp_path: Path) -> None:
    network = load_guider(TINY.guider, saved(guider_state, tmp_path / "guider.bin"))
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_norm_left_over_from_stable_diffusion_is_tolerated(
    reference_state: State, tmp_path: Path
) -> None:
    leftover = {"conv_norm_out.weight": torch.ones(8), "conv_norm_out.bias": torch.zeros(8)}
    path = saved(reference_state | leftover, tmp_path / "reference_net.bin")
    network = load_reference_net(TINY_UNET, path)
    assert torch.equal(network.conv_out.weight, reference_state["conv_out.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv_out.bias": None}, r"1 missing: conv_out\.bias"),
        ({"conv_out.extra": torch.zeros(3)}, r"1 surplus: conv_out\.extra"),
        (
            {"conv_in.weight": torch.zeros(4, 3, 5, 5)},
            r"1 of wrong shape: conv_in\.weight \[4, 3, 5",
        ),
        ({"conv_in.bias": torch.zeros(4, dtype=torch.int64)}, r"not of numbers.*: conv_in\.bias"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(
    guider_state: State, tmp_path: Path, change: dict[str, Tensor | None], message: str
) -> None:
    changed = {key: x for key, x in (guider_state | change).items() if x is not None}
    path = saved(changed, tmp_path / "guider.bin")
    with pytest.raises(CheckpointError, match=message):
        load_guider(TINY.guider, path)


def test_a_unet_without_any_motion_modules_is_refused(unet_state: State, tmp_path: Path) -> None:
    path = saved(split(unet_state)[0], tmp_path / "unet.bin")
    with pytest.raises(CheckpointError, match=r"missing: .*motion_modules.* more"):
        load_denoising_unet(TINY_UNET, path)


def test_files_that_were_mixed_up_are_recognised(
    unet_state: State, reference_state: State, tmp_path: Path
) -> None:
    unet, motion = split(unet_state)
    unet_path = saved(unet, tmp_path / "a.bin")
    motion_path = saved(motion, tmp_path / "b.bin")
    reference_path = saved(reference_state, tmp_path / "c.bin")
    with pytest.raises(CheckpointError, match="looks like denoising_unet"):
        load_reference_net(TINY_UNET, unet_path)
    with pytest.raises(CheckpointError, match="looks like motion_module"):
        load_audio_projection(TINY.audio_projection, motion_path)
    with pytest.raises(CheckpointError, match=r"no motion module.*looks like reference_net"):
        load_denoising_unet(TINY_UNET, unet_path, reference_path)


def test_files_that_cannot_be_read_say_why(guider_state: State, tmp_path: Path) -> None:
    whole = saved(guider_state, tmp_path / "whole.bin").read_bytes()
    save_file(guider_state, tmp_path / "whole.safetensors")
    whole_safe = (tmp_path / "whole.safetensors").read_bytes()
    for name, content, message in (
        ("cut.bin", whole[: len(whole) // 2], "cut short|not a PyTorch file"),
        ("page.bin", b"<html>not found</html>", "not a PyTorch file"),
        ("empty.bin", b"", "cut short|not a PyTorch file"),
        ("cut.safetensors", whole_safe[:-10], "cut short or no safetensors"),
        ("empty.safetensors", b"", "cut short or no safetensors"),
        ("weights.txt", b"x", "expected a file ending in"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=message):
            read_tensors(tmp_path / name)
    with pytest.raises(CheckpointError, match="no such file"):
        read_tensors(tmp_path / "absent.bin")


def test_files_damaged_anywhere_are_refused_or_read(guider_state: State, tmp_path: Path) -> None:
    few = dict(list(guider_state.items())[:2])
    path, source = tmp_path / "guider.bin", torch.Generator().manual_seed(0)
    contents = []
    for is_zip in (True, False):
        torch.save(few, path, _use_new_zipfile_serialization=is_zip)
        contents.append(path.read_bytes())
    for index in range(300):
        damaged = bytearray(contents[index % 2])
        for place in torch.randint(len(damaged), (3,), generator=source).tolist():
            damaged[place] ^= 1 + index % 255
        path.write_bytes(damaged)
        try:
            assert read_tensors(path)
        except CheckpointError as error:
            assert "guider.bin" in str(error)  # noqa: PT017  either is right


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    trap = tmp_path / "trap"

    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (trap,)

    saved({"conv_in.weight": Trap()}, tmp_path / "evil.bin")
    (tmp_path / "plain.bin").write_bytes(pickle.dumps({"conv_in.weight": Trap()}, protocol=2))
    for name in ("evil.bin", "plain.bin"):
        with pytest.raises(CheckpointError, match="more in it than tensors"):
            read_tensors(tmp_path / name)
    assert not trap.exists()


def test_nested_tables_are_refused(guider_state: State, tmp_path: Path) -> None:
    path = saved({"state_dict": guider_state, "epoch": 3}, tmp_path / "guider.bin")
    with pytest.raises(CheckpointError, match="one flat table of tensors"):
        read_tensors(path)
