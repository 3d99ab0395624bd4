import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.api import Samples
from engine.portrait.level import LOWEST_DB, LevelTracker
from engine.portrait.mel import BANDS, HOP_SAMPLES, PHONE_BANDS, MelStream, _mel_bank
from tests.engine.portrait.line_counter import LineCounter


def voice(seconds: float, seed: int = 0) -> Samples:
    """Bursts of a buzz over faint noise."""
    time_s = np.arange(round(seconds * 16000)) / 16000
    buzz = sum(np.sin(2 * np.pi * 130 * n * time_s) / n for n in range(1, 20))
    beat = np.sin(2 * np.pi * 2 * time_s) > 0
    faint = np.random.default_rng(seed).normal(0, 1e-4, len(time_s))
    return np.asarray(0.1 * buzz * beat + faint, np.float32)


@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, 16000), max_size=12).map(sorted))
def test_chunk_borders_do_not_matter(cuts: list[int]) -> None:
    samples = voice(1.0)
    whole, stream = MelStream().push(samples), MelStream()
    pieces = [stream.push(piece) for piece in np.split(samples, cuts)]
    features = np.concatenate([piece.features for piece in pieces])
    np.testing.assert_allclose(features, whole.features, atol=1e-5)
    excess_db = np.concatenate([piece.excess_db for piece in pieces])
    np.testing.assert_allclose(excess_db, whole.excess_db, atol=1e-4)


def test_one_hop_comes_out_per_ten_milliseconds() -> None:
    hops = MelStream().push(np.zeros(HOP_SAMPLES * 7 + 3, np.float32))
    assert hops.features.shape == (7, BANDS)
    assert len(hops) == 7


def test_no_future_sample_is_looked_at() -> None:
    samples = voice(1.0)
    changed = samples.copy()
    changed[8000:] = 0
    before = MelStream().push(samples).features[: 8000 // HOP_SAMPLES]
    np.testing.assert_allclose(
        MelStream().push(changed).features[: 8000 // HOP_SAMPLES], before, atol=1e-5
    )


def test_a_quiet_voice_gives_the_features_of_a_loud_one() -> None:
    samples = voice(12.0)
    loud = MelStream().push(samples).features[-600:]
    quiet = MelStream().push(samples * np.float32(10 ** (-24 / 20))).features[-600:]
    assert np.abs(loud - quiet).mean() < 0.05


def test_another_microphone_gives_the_same_features() -> None:
    samples = voice(20.0)
    duller = np.convolve(samples, np.array([0.6, 0.4], np.float32))[: len(samples)].astype(
        np.float32
    )
    clear, dull = (MelStream().push(sound) for sound in (samples, duller))
    heard = np.flatnonzero(clear.excess_db[-600:] > 20) - 600
    high = slice(BANDS // 2, None)
    off = np.abs(clear.features[heard, high] - dull.features[heard, high])
    assert off.mean() < 0.05
    tilt_db = 20 * np.log10(0.2)  # at 8 kHz
    assert abs(tilt_db / 20) > 5 * off.mean()


def test_silence_after_speech_does_not_change_what_a_voice_sounds_like() -> None:
    spoken, stream = voice(8.0), MelStream()
    stream.push(spoken)
    before = stream.push(spoken[:16000]).features
    stream.push(np.zeros(16000 * 5, np.float32))
    after = stream.push(spoken[:16000]).features
    assert np.abs(after[20:] - before[20:]).mean() < 0.1


def test_silence_is_flat_and_counts_as_no_speech() -> None:
    hops = MelStream().push(np.zeros(16000, np.float32))
    assert np.ptp(hops.features, axis=0).max() < 1e-6
    assert (hops.excess_db < 0).all()
    assert not hops.loudness.any()


def test_reset_leaves_no_trace() -> None:
    stream = MelStream()
    stream.push(voice(2.0, seed=1)[:-37])
    stream.reset()
    samples = voice(0.5)
    np.testing.assert_array_equal(stream.push(samples).features, MelStream().push(samples).features)


def test_a_tone_lands_in_its_band() -> None:
    time_s = np.arange(16000) / 16000
    low, high = (
        MelStream().push((0.1 * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)).features[50]
        for hz in (300, 3000)
    )
    assert low.argmax() < high.argmax()
    assert np.abs(low.argmax() - 7) <= 2


def test_features_are_what_the_formula_says() -> None:
    samples, colour = voice(3.0), np.linspace(-0.3, -1.5, BANDS) * 50
    heard, counted, tracker = np.pad(samples, (400 - HOP_SAMPLES, 0)), 50.0, LevelTracker()
    features, silence_power = [], 10 ** (LOWEST_DB / 10)
    for first in range(0, len(samples), HOP_SAMPLES):
        window = heard[first : first + 400] * np.hanning(401)[:-1]
        power = np.abs(np.fft.rfft(window, 512)) ** 2 @ _mel_bank()
        spoken = tracker.push(10 * np.log10(power.sum() + silence_power)) > 0
        typical = 10 ** ((tracker.speech_db - 15) / 10)
        bands = np.log10(power / typical + 10**-4.5) / 2
        if spoken:
            colour, counted = 0.999 * colour + bands, 0.999 * counted + 1
        features.append(bands - colour / counted)
    stream = MelStream()
    pushed = np.concatenate([stream.push(piece).features for piece in samples.reshape(-1, 640)])
    np.testing.assert_allclose(pushed, features, atol=1e-5)


def test_a_frame_costs_few_calls() -> None:
    stream, frames = MelStream(), voice(1.0).reshape(-1, 640)
    stream.push(frames[0])
    for frame in frames:
        with LineCounter() as counter:
            stream.push(frame)
        assert counter.lines < 220


def test_the_bands_of_phones_know_no_level() -> None:
    samples = voice(8.0)
    loud = MelStream().push(samples).phone_bands[-200:]
    quiet = MelStream().push(samples * np.float32(10 ** (-24 / 20))).phone_bands[-200:]
    assert loud.shape == (200, PHONE_BANDS)
    np.testing.assert_allclose(loud, quiet, atol=0.5)
    assert loud.std() > 1


def test_the_bands_of_phones_tell_tones_apart() -> None:
    time_s = np.arange(16000) / 16000
    peaks = [
        MelStream()
        .push((0.1 * np.sin(2 * np.pi * hz * time_s)).astype(np.float32))
        .phone_bands[50]
        .argmax()
        for hz in (300, 1000, 3000)
    ]  # 36 Hz a band up to 1 kHz
    assert peaks == sorted(peaks)
    assert abs(peaks[0] - (300 - 40) / 36.1) < 2
    assert abs(peaks[1] - (1000 - 40) / 36.1) < 2
