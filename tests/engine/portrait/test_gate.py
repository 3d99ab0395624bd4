import numpy as np

from engine.portrait.gate import LOOK_AHEAD_FRAMES, MouthGate
from engine.portrait.mel import MelStream

SPEECH, SILENCE = np.full(4, 20, np.float32), np.full(4, -20, np.float32)


def openness(spoken: list[bool]) -> list[float]:
    """Openness of each frame."""
    gate = MouthGate()
    frames = [*spoken, *[False] * LOOK_AHEAD_FRAMES]
    return [gate.push(SPEECH if frame else SILENCE) for frame in frames][LOOK_AHEAD_FRAMES:]


def test_stays_shut_in_silence() -> None:
    assert openness([False] * 50) == [0.0] * 50


def test_is_open_when_the_sound_comes_and_not_long_before() -> None:
    opened = openness([False] * 10 + [True] * 10)
    assert opened[10] == 1.0
    assert opened[7] == 0.0


def test_closes_within_half_a_second_of_the_last_sound() -> None:
    opened = openness([True] * 10 + [False] * 20)
    assert opened[9] == 1.0
    assert opened[10 + 12] == 0.0


def test_short_closures_inside_words_pass() -> None:
    assert min(openness(([True] * 5 + [False] * 2) * 6)[2:-8]) > 0.9


def test_never_jumps() -> None:
    random = np.random.default_rng(0)
    opened = openness((random.random(500) < 0.3).tolist())
    assert np.abs(np.diff(opened)).max() <= 0.5


def test_reset_closes() -> None:
    gate = MouthGate()
    for _ in range(5):
        gate.push(SPEECH)
    gate.reset()
    assert gate.push(SILENCE) == 0.0


def test_room_noise_and_digital_silence_shut_and_a_quiet_voice_opens() -> None:
    random = np.random.default_rng(0)
    time_s = np.arange(3 * 16000) / 16000
    beats = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * time_s)
    voice = 0.15 * beats * np.sign(np.sin(2 * np.pi * 140 * time_s)) * 10 ** (-30 / 20)
    room = random.normal(0, 3e-4, len(time_s))
    parts = [room, voice + room, room, 0 * room]
    hops = MelStream().push(np.concatenate(parts).astype(np.float32))
    gate = MouthGate()
    opened = np.array([gate.push(excess) for excess in hops.excess_db.reshape(-1, 4)])
    first_room, spoken, second_room, nothing = opened.reshape(4, -1)
    assert first_room[25:-3].max() == 0
    assert spoken[5:-5].mean() > 0.95
    assert second_room[15:].max() == 0
    assert nothing[2:].max() == 0
