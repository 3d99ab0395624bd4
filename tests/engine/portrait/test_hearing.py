import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.api import Samples
from engine.portrait.gate import LOOK_AHEAD_FRAMES
from engine.portrait.hearing import FEATURES, Hearing
from engine.portrait.mel import BANDS, MelStream
from engine.portrait.phone_network import LATE_FRAMES
from engine.training.whole_hearing import hear
from tests.engine.portrait.phone_networks import network, weights


def noise(frames: int, seed: int = 0) -> Samples:
    return np.random.default_rng(seed).normal(0, 0.1, 640 * frames).astype(np.float32)


@settings(deadline=None, max_examples=8)
@given(cuts=st.lists(st.integers(0, 12), max_size=3).map(sorted))
def test_sound_may_come_in_any_number_of_frames(cuts: list[int]) -> None:
    phones, sound = weights(network()), noise(12)
    hearing = Hearing(phones)
    parts = [hearing.push(piece) for piece in np.split(sound, [640 * cut for cut in cuts])]
    features = np.concatenate([part.features for part in parts])
    np.testing.assert_allclose(features, Hearing(phones).push(sound).features, atol=1e-5)


def test_bands_come_at_once_and_phones_80_ms_late() -> None:
    sound = noise(6)
    heard = Hearing(weights(network())).push(sound)
    assert heard.features.shape == (24, FEATURES)
    np.testing.assert_array_equal(heard.features[:, :BANDS], MelStream().push(sound).features)
    by_frame = heard.features[:, BANDS:].reshape(6, -1)
    assert (by_frame[:LATE_FRAMES] == 0).all()
    assert (by_frame[LATE_FRAMES:] != 0).any(1).all()


def test_a_reset_leaves_no_trace() -> None:
    hearing = Hearing(weights(network()))
    hearing.push(noise(5, 1))
    hearing.reset()
    again, fresh = (one.push(noise(5)) for one in (hearing, Hearing(weights(network()))))
    np.testing.assert_array_equal(again.features, fresh.features)


def test_training_hears_the_same_at_once() -> None:
    net, sound = network(), noise(70)
    streamed = Hearing(weights(net)).push(sound).features
    np.testing.assert_allclose(hear(sound, net).features, streamed, rtol=1e-4, atol=1e-4)


def test_part_of_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="expected whole frames of sound, got 641 samples"):
        Hearing(weights(network())).push(np.zeros(641, np.float32))


def test_phones_come_as_late_as_the_gate_looks_ahead() -> None:
    assert LATE_FRAMES == LOOK_AHEAD_FRAMES
