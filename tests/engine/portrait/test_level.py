from engine.portrait.level import LevelTracker


def test_steady_noise_is_no_speech_however_loud() -> None:
    for level_db in (-75.0, -55.0, -40.0, -30.0):
        tracker = LevelTracker()
        excess_db = [tracker.push(level_db) for _ in range(800)]
        assert max(excess_db[-200:]) < 0


def test_a_voice_above_the_noise_is_speech_and_sets_the_speech_level() -> None:
    tracker = LevelTracker()
    for _ in range(200):
        tracker.push(-60)
    excess_db = [tracker.push(-20) for _ in range(100)]
    assert min(excess_db) > 0
    assert abs(tracker.speech_db + 20) < 2


def test_the_noise_falls_to_a_quieter_room_quickly_and_rises_slowly() -> None:
    tracker = LevelTracker()
    for _ in range(500):
        tracker.push(-40)
    for _ in range(60):
        tracker.push(-60)
    assert tracker.noise_db < -59
    for _ in range(60):
        tracker.push(-30)
    assert tracker.noise_db < -55


def test_a_pause_leaves_the_speech_level_alone() -> None:
    tracker = LevelTracker()
    for hop in range(300):
        tracker.push(-20 if hop % 5 else -60)
    before = tracker.speech_db
    for _ in range(1000):
        tracker.push(-70)
    assert tracker.speech_db == before
