"""Every network and every part of one, against what the published ones gave."""

from pathlib import Path

import pytest

from engine.vexpress.check_networks import NETWORK_KINDS
from engine.vexpress.goldens import GoldenError, read_golden

pytestmark = pytest.mark.timeout(600)  # whole networks in double: seconds, minutes when busy

COMMITTED_FILES = [
    "b2_transformer_block_read",
    "b2_transformer_block_write",
    "b3_blocks",
    "c_v_kps_guider_A",
    "d_audio_projection_C",
    "e_motion_module",
]
SHARED_FILES = [
    "a_reference_net_A",
    "a_reference_net_C",
    "b_denoising_unet_A",
    "b_denoising_unet_C",
    "c_v_kps_guider_full",
    "d_audio_projection_A",
]


def check(path: Path) -> None:
    golden = read_golden(path)
    comparisons = list(NETWORK_KINDS[golden.kind](golden))
    assert len(comparisons) == sum(len(golden.outputs(case["name"])) for case in golden.cases)
    for comparison in comparisons:
        assert comparison.passed, comparison


@pytest.mark.parametrize("name", COMMITTED_FILES)
def test_parts_give_what_the_published_ones_gave(committed: Path, name: str) -> None:
    check(committed / f"{name}.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARED_FILES)
def test_networks_give_what_the_published_ones_gave(full_set: Path, name: str) -> None:
    check(full_set / f"{name}.safetensors")


def test_a_golden_without_its_weights_says_which_are_missing(
    committed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "c_v_kps_guider_A.safetensors"
    path.write_bytes((committed / path.name).read_bytes())
    golden = read_golden(path)
    with pytest.raises(GoldenError, match=r"v_kps_guider_A\.safetensors"):
        list(NETWORK_KINDS[golden.kind](golden))
