"""How processes share the machine and the tests (`make test`, WORKERS)."""

import os

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Calls run in real time: one after another, and what computes beside them gives way.
CALLS = (
    "tests/benchmarks/test_cycles.py",
    "tests/benchmarks/test_latency.py",
    "tests/browser/",
    "tests/streamer/",
    "tests/web/",
)
# Networks this small only lose by sharing their work; processes that tests start inherit it.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}
SHARES = "PYTEST_XDIST_WORKER" in os.environ
POLITE = 10  # of 19, as the system counts priorities downwards


def pytest_configure() -> None:
    """Before PyTorch and OpenCV are imported, which read it then; examples may take their time."""
    for name, value in ONE_THREAD.items():
        os.environ.setdefault(name, value)
    usual = settings.get_profile(settings.get_current_profile_name())
    slow = [HealthCheck.too_slow]
    settings.register_profile("patient", usual, deadline=None, suppress_health_check=slow)
    settings.load_profile("patient")


def is_call(nodeid: str) -> bool:
    """Whether a test runs in real time."""
    return nodeid.startswith(CALLS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Calls take longest: one process begins with them."""
    if SHARES:
        items.sort(key=lambda item: not is_call(item.nodeid))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A process that shares the machine with calls lets them go first."""
    if SHARES and not is_call(item.nodeid):
        now = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, max(now, POLITE))


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """A process takes a whole file, whose fixtures are made once, or all the calls."""

    def _split_scope(self, nodeid: str) -> str:
        return "calls" if is_call(nodeid) else nodeid.split("::", 1)[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Sharing:
    """In the order of the files: the many small ones at the end fill gaps."""
    config.option.loadscopereorder = False
    return Sharing(config, log)
