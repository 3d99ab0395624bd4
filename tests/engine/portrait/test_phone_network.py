from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from engine.portrait.landmarks import Floats
from engine.portrait.mel import PHONE_BANDS
from engine.portrait.phone_network import LATE_FRAMES, PAST_PAIRS, PhoneNetwork
from engine.portrait.phone_runner import (
    PHONES_PATH,
    PhoneRunner,
    PhoneWeights,
    shipped_phones,
)
from tests.engine.portrait.phone_networks import network, weights


def bands(frames: int, seed: int = 0) -> Floats:
    """Bands [frames, 4, 80]."""
    drawn = np.random.default_rng(seed).normal(size=(frames, 4, PHONE_BANDS))
    return np.asarray(drawn, np.float32)


def whole(net: PhoneNetwork, heard: Floats) -> Floats:
    """Steps [frames, 2, 144] of one pass over all frames."""
    with torch.inference_mode():
        steps = net(torch.from_numpy(heard).reshape(1, -1, PHONE_BANDS))
    return np.asarray(steps[0].reshape(len(heard), 2, -1).numpy())


def streamed(runner: PhoneRunner, heard: Floats) -> list[Floats | None]:
    return [runner.push(frame) for frame in heard]


@settings(deadline=None, max_examples=5)
@given(frames=st.integers(3, PAST_PAIRS + 20), seed=st.integers(0, 3))
def test_streaming_gives_what_one_pass_gives(frames: int, seed: int) -> None:
    net, heard = network(seed), bands(frames, seed)
    late = streamed(PhoneRunner(weights(net)), heard)
    assert late[:LATE_FRAMES] == [None] * LATE_FRAMES
    wanted = whole(net, heard)[:-LATE_FRAMES]
    for one, other in zip(late[LATE_FRAMES:], wanted, strict=True):
        assert one is not None
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_what_comes_later_than_80_ms_changes_nothing() -> None:
    net, heard = network(), bands(20)
    later = heard.copy()
    later[10 + LATE_FRAMES + 1 :] += 3
    np.testing.assert_allclose(whole(net, later)[:11], whole(net, heard)[:11], atol=1e-5)
    later[10 + LATE_FRAMES] += 3
    assert np.abs(whole(net, later)[10] - whole(net, heard)[10]).max() > 1e-3


def test_a_reset_leaves_no_trace() -> None:
    runner = PhoneRunner(weights(network()))
    streamed(runner, bands(8, 5))
    runner.reset()
    again, fresh = streamed(runner, bands(5)), streamed(PhoneRunner(weights(network())), bands(5))
    for one, other in zip(again[LATE_FRAMES:], fresh[LATE_FRAMES:], strict=True):
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one, other)


def test_the_shipped_weights_are_of_this_network() -> None:
    steps = streamed(PhoneRunner(shipped_phones()), bands(4))[-1]
    assert steps is not None
    assert np.isfinite(steps).all()


def test_another_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "phones.safetensors"
    save_file({"stem.weight": np.zeros((144, PHONE_BANDS, 3), np.float16)}, file)
    with pytest.raises(ValueError, match=r"phones\.safetensors: not weights of the phone network"):
        PhoneWeights.load(file)
    shipped = load_file(PHONES_PATH)
    save_file(shipped | {"stem.bias": np.zeros(143, np.float16)}, file)
    with pytest.raises(ValueError, match=r"stem\.bias is \(143,\), expected \(144,\)"):
        PhoneWeights.load(file)
    save_file(shipped | {"more": np.zeros(1, np.float16)}, file)
    with pytest.raises(ValueError, match=r"more is \(1,\), expected None"):
        PhoneWeights.load(file)
    file.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not weights"):
        PhoneWeights.load(file)
