import numpy as np
import pytest

from engine.training import acoustics


def test_level_is_that_of_the_spoken_part() -> None:
    sound = np.concatenate([np.zeros(16000), 0.1 * np.ones(16000)]).astype(np.float32)
    assert acoustics.active_level(sound) == pytest.approx(0.1, rel=1e-3)
    quieter = acoustics.at_level(sound, -40)
    assert acoustics.active_level(quieter) == pytest.approx(0.01, rel=1e-3)


def test_silence_stays_silence_at_any_level() -> None:
    assert not acoustics.at_level(np.zeros(1000, np.float32), -20).any()
    assert acoustics.active_level(np.zeros(10, np.float32)) == 0


def test_too_loud_is_clipped() -> None:
    sound = np.sin(np.arange(8000)).astype(np.float32)
    assert np.abs(acoustics.at_level(sound, 20)).max() == 1


@pytest.mark.parametrize("kind", ["white", "pink", "brown", "hum"])
def test_noise_has_unit_level(kind: acoustics.NoiseKind) -> None:
    sound = acoustics.noise(kind, 32000, np.random.default_rng(0))
    assert sound.shape == (32000,)
    assert float(sound.std()) == pytest.approx(1, rel=0.01)


def test_noises_differ_in_colour() -> None:
    random = np.random.default_rng(0)
    change = [
        np.diff(acoustics.noise(kind, 32000, random)).std() for kind in ("white", "pink", "brown")
    ]
    assert change == sorted(change, reverse=True)


def test_echo_keeps_the_direct_sound_and_looks_only_back() -> None:
    click = np.zeros(16000, np.float32)
    click[4000] = 1
    heard = acoustics.echo(click, np.random.default_rng(0))
    assert np.abs(heard[:4000]).max() < 1e-6
    assert heard[4000] == pytest.approx(1, abs=1e-5)
    assert np.abs(heard[4001:9000]).max() > 1e-4


def test_stretching_keeps_sound_and_mouth_in_step() -> None:
    mouth = np.zeros((100, 9), np.float32)
    mouth[60:70] = 1
    sound = np.repeat(mouth[:, 0], 640)
    for percent in (80, 100, 120):
        heard, moved = acoustics.stretched(sound, mouth, percent)
        assert len(heard) == 640 * len(moved) == 640 * percent
        loud = np.abs(heard.reshape(-1, 640)).mean(1)
        assert np.corrcoef(loud, moved[:, 0])[0, 1] > 0.97
