"""How processes share the machine and the tests (`make test`, WORKERS)."""

import os

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Calls run in real time: one after another they leave the other processes a core each.
CALLS = (
    "tests/benchmarks/test_cycles.py",
    "tests/benchmarks/test_latency.py",
    "tests/browser/",
    "tests/streamer/",
    "tests/web/",
)
# Networks this small only lose by sharing their work; processes that tests start inherit it.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}


def pytest_configure() -> None:
    """Before PyTorch and OpenCV are imported, which read it then; examples may take their time."""
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)
    usual = settings.get_profile(settings.get_current_profile_name())
    slow = [HealthCheck.too_slow]
    settings.register_profile("patient", usual, deadline=None, suppress_health_check=slow)
    settings.load_profile("patient")


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """A process takes a whole file, whose fixtures are made once, or all the calls."""

    def _split_scope(self, nodeid: str) -> str:
        return "calls" if nodeid.startswith(CALLS) else nodeid.split("::", 1)[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    """Share by the above, in the order of the files: the many small ones at the end fill gaps."""
    config.option.loadscopereorder = False
    return Sharing(config, log)
