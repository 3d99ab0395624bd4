import numpy as np

from engine.portrait.easing import EASED_FRAMES, Easing


def test_a_restart_is_eased_and_then_forgotten() -> None:
    easing = Easing()
    assert easing.apply(np.array([1.0, 0.0], np.float32)).tolist() == [1.0, 0.0]
    easing.restart()
    still = np.zeros(2, np.float32)
    shown = [float(easing.apply(still)[0]) for _ in range(EASED_FRAMES + 3)]
    assert shown == sorted(shown, reverse=True)
    assert shown[EASED_FRAMES:] == [0.0, 0.0, 0.0]
    assert max(-np.diff([1.0, *shown])) < 0.4


def test_nothing_was_shown_so_there_is_nothing_to_ease() -> None:
    easing = Easing()
    easing.restart()
    moving = np.array([0.5], np.float32)
    assert easing.apply(moving) is moving


def test_a_second_restart_begins_where_the_first_had_come_to() -> None:
    easing = Easing()
    easing.apply(np.ones(1, np.float32))
    easing.restart()
    reached = easing.apply(np.zeros(1, np.float32))
    easing.restart()
    assert 0 < easing.apply(np.zeros(1, np.float32))[0] < reached[0]
