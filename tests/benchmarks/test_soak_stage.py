import pytest

from benchmarks.soak_stage import Conditions, soak


@pytest.mark.slow
def test_the_delay_stays_whatever_the_other_clock_does() -> None:
    values = soak(Conditions(hours=0.05, drift_ppm=-300.0, loss=0.02))
    first, last = values["delay_first_ms"], values["delay_last_ms"]
    assert isinstance(first, float)
    assert isinstance(last, float)
    assert 100 < first < 250
    assert last == pytest.approx(first, abs=12)
    assert values["dropped_samples"] == 0
