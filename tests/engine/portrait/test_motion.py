from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.api import Samples
from engine.portrait.channels import MOUTH_CHANNELS, Channel
from engine.portrait.landmarks import Floats
from engine.portrait.motion import (
    LIVELINESS,
    LOOK_AHEAD_FRAMES,
    WEIGHTS_PATH,
    MotionModel,
    MotionStream,
    shown,
)
from engine.training.corpus import lip_opening
from tests.engine.portrait.motion_networks import network


def follow(stream: MotionStream, samples: Samples) -> Floats:
    """Mouth channels of every whole frame."""
    padded = np.pad(samples, (0, LOOK_AHEAD_FRAMES * 640))
    pushed = [stream.push(frame) for frame in padded.reshape(-1, 640)]
    return np.stack([mouth for mouth in pushed if mouth is not None])


def opening(mouth: Floats) -> Floats:
    return mouth[:, Channel.UPPER_LIP_UP] + mouth[:, Channel.LOWER_LIP_DOWN]


def vowel(seconds: float, formants_hz: tuple[int, ...] = (730, 1090, 2440)) -> Samples:
    """An "ah" by resonances on a buzz (Peterson and Barney 1952)."""
    count = round(seconds * 16000)
    sound = np.zeros(count)
    sound[:: 16000 // 120] = 1.0
    for hz in formants_hz:
        radius = np.exp(-np.pi * 90 / 16000)
        back = 2 * radius * np.cos(2 * np.pi * hz / 16000)
        once = twice = 0.0
        for at in range(count):
            once, twice = sound[at] + back * once - radius**2 * twice, once
            sound[at] = once
    fade = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / 480)
    return np.asarray(0.12 * fade * sound / np.sqrt((sound**2).mean()), np.float32)


def bursts(count: int = 6) -> tuple[Samples, Floats]:
    """Vowels of 0.28 s with pauses of 0.72 s in a quiet room, and where they sound [frames]."""
    one = np.pad(vowel(0.28), (round(0.4 * 16000), round(0.32 * 16000)))
    room = np.random.default_rng(0).normal(0, 1e-4, count * len(one))
    sound = (np.tile(one, count) + room).astype(np.float32)
    sounding = np.sqrt((sound.reshape(-1, 640) ** 2).mean(1)) > 0.01
    return sound, sounding.astype(np.float32)


@pytest.fixture(scope="module")
def shipped() -> MotionModel:
    return MotionModel.load(WEIGHTS_PATH)


def test_frame_k_gives_the_mouth_of_frame_k_minus_two() -> None:
    stream = MotionModel(network()).open()
    frame = np.zeros(640, np.float32)
    answers = [stream.push(frame) for _ in range(5)]
    assert [answer is None for answer in answers] == [True, True, False, False, False]
    assert answers[2] is not None
    assert answers[2].shape == (MOUTH_CHANNELS,)
    assert answers[2].dtype == np.float32


def test_strength_scales_what_the_gate_lets_through() -> None:
    net, sound = network(), bursts(2)[0]
    once = follow(MotionModel(net).open(), sound)
    twice = follow(MotionModel(net).open(strength=2.0), sound)
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-5)
    assert np.abs(once).max() > 0.01


def test_the_seed_decides_the_noise() -> None:
    model, (sound, _) = MotionModel(network()), bursts(1)
    first, again, other = (follow(model.open(seed=seed), sound) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_no_sound_later_than_80_ms_matters() -> None:
    model, sound = MotionModel(network()), bursts(2)[0]
    changed = sound.copy()
    changed[25 * 640 :] = 0
    before, after = (
        follow(model.open(), one)[: 25 - LOOK_AHEAD_FRAMES] for one in (sound, changed)
    )
    np.testing.assert_array_equal(before, after)


def test_reset_leaves_no_trace() -> None:
    model, sound = MotionModel(network()), bursts(1)[0]
    stream = model.open()
    follow(stream, sound[::-1].copy())
    stream.reset()
    np.testing.assert_array_equal(follow(stream, sound), follow(model.open(), sound))


def test_streams_share_the_model_but_no_state() -> None:
    model, (sound, _) = MotionModel(network()), bursts(1)
    first, second = model.open(), model.open()
    follow(first, sound)
    np.testing.assert_array_equal(follow(second, sound), follow(model.open(), sound))


def test_lips_near_shut_come_nearer_and_wide_ones_stay_wide() -> None:
    foretold = np.zeros((200, MOUTH_CHANNELS), np.float32)
    foretold[:, Channel.LOWER_LIP_DOWN] = np.linspace(-0.2, 1.5, 200)
    told, opening = lip_opening(foretold), lip_opening(shown(foretold, 1.0))
    assert (np.diff(opening) > 0).all(), "a wider mouth stays wider"
    assert np.abs(np.diff(opening)).max() < 0.03, "and nothing jumps"
    near = (told > 0.02) & (told < 0.2)
    assert (opening[near] < told[near]).all()
    assert opening[-1] > 1.2 * told[-1]
    np.testing.assert_allclose(opening[told < 0], told[told < 0] * LIVELINESS, atol=1e-6)


def test_nothing_shown_where_the_gate_is_shut() -> None:
    foretold = np.ones((3, MOUTH_CHANNELS), np.float32)
    shares = np.array([[0.0], [0.5], [1.0]], np.float32)
    given = foretold.copy()
    opening = lip_opening(shown(foretold, shares))
    assert opening[0] == 0
    assert opening[1] == pytest.approx(opening[2] / 2)
    np.testing.assert_array_equal(foretold, given)


def test_wrong_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 640 samples"):
        MotionModel(network()).open().push(np.zeros(639, np.float32))


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"no weights")
    with pytest.raises(ValueError, match="not a safetensors file"):
        MotionModel.load(path)
    weights = network().state_dict()
    missing = {name: value for name, value in weights.items() if name != "mouth.head.bias"}
    extra = weights | {"more": torch.zeros(1)}
    misshapen = weights | {"mouth.head.bias": torch.zeros(3)}
    for wrong in (missing, extra, misshapen):
        save_file(wrong, path)
        with pytest.raises(ValueError, match="not weights of the motion network"):
            MotionModel.load(path)
    save_file(weights, path)
    MotionModel.load(path)


def test_the_shipped_weights_are_small() -> None:
    assert WEIGHTS_PATH.stat().st_size < 5_000_000


def test_vowels_open_the_mouth_and_pauses_close_it(shipped: MotionModel) -> None:
    sound, sounding = bursts()
    opened = opening(follow(shipped.open(), sound))
    assert opened[sounding > 0].mean() > 0.3
    pause = np.convolve(sounding, np.ones(19), "same") == 0  # long enough after and before sound
    assert pause.any()
    assert np.abs(opened[pause]).max() < 0.02


def test_the_mouth_comes_with_the_sound(shipped: MotionModel) -> None:
    sound, sounding = bursts()
    opened = opening(follow(shipped.open(), sound))
    lags = range(-4, 5)
    alike = [np.corrcoef(np.roll(opened, -lag), sounding)[0, 1] for lag in lags]
    assert abs(lags[int(np.argmax(alike))]) <= 1


@pytest.fixture(scope="module")
def loud(shipped: MotionModel) -> Floats:
    """How far ten bursts open the mouth [frames], once the voice is known."""
    return opening(follow(shipped.open(), bursts(10)[0]))[75:]


@pytest.mark.parametrize("gain_db", [-24, -18, -12, -6])
def test_a_quiet_voice_moves_the_mouth_as_far(
    shipped: MotionModel, loud: Floats, gain_db: int
) -> None:
    sound = bursts(10)[0] * np.float32(10 ** (gain_db / 20))
    quiet = opening(follow(shipped.open(), sound))[75:]
    assert 0.8 < quiet.std() / loud.std() < 1.25
    assert np.corrcoef(loud, quiet)[0, 1] > 0.97


def test_silence_and_room_noise_keep_the_mouth_shut(shipped: MotionModel) -> None:
    random = np.random.default_rng(0)
    for level in (0.0, 1e-4, 1e-3):
        room = random.normal(0, 1, 75 * 640).astype(np.float32) * np.float32(level)
        mouth = follow(shipped.open(), room)
        assert np.abs(mouth[25:]).max() < 0.01
        assert opening(mouth).max() < 0.15


def test_ah_is_wider_open_than_oo(shipped: MotionModel) -> None:
    room = np.random.default_rng(0).normal(0, 1e-4, 32000).astype(np.float32)
    ah, oo = (
        follow(shipped.open(), np.concatenate([room, vowel(0.6, formants)]))[-12:-3]
        for formants in ((730, 1090, 2440), (300, 870, 2240))
    )
    assert opening(ah).mean() > opening(oo).mean() + 0.05
    assert oo[:, Channel.MOUTH_WIDE].mean() < ah[:, Channel.MOUTH_WIDE].mean()
