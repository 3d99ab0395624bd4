"""Rules of the house that no linter knows."""

import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("engine", "kernels", "streamer", "benchmarks")
MAX_LINES = 300
SOURCES = sorted(p for folder in PACKAGES for p in (ROOT / folder).rglob("*.py"))
SOURCES += sorted(ROOT.glob("*.py"))
WEB_SOURCES = sorted((ROOT / "web_client").glob("*.js"))

IMPORT_ALL = """
import importlib, logging, pkgutil, sys, threading
from pathlib import Path

names = []
for root in sys.argv[1:]:
    package = importlib.import_module(root)
    names += [m.name for m in pkgutil.walk_packages(package.__path__, root + ".")]
for name in names:
    if not name.startswith(("engine.training", "kernels.triton_")):  # need extras of their own
        importlib.import_module(name)
problems = [f"thread {t.name}" for t in threading.enumerate() if t is not threading.main_thread()]
problems += [f"log handler {h}" for h in logging.getLogger().handlers]
problems += ["triton"] if "triton" in sys.modules and "kernels" in sys.argv else []
print("torch" in sys.modules, problems)
"""


def import_all(*roots: str, folder: Path) -> str:
    """Import every module below `roots` in a fresh interpreter; return what it noticed."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{IMPORT_ALL}"
    command = [sys.executable, "-B", "-W", "ignore", "-c", code, *roots]
    ran = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


@pytest.mark.parametrize(
    "path", SOURCES + WEB_SOURCES, ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_no_file_outgrows_its_reader(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_importing_the_streamer_loads_no_torch_and_starts_nothing(tmp_path: Path) -> None:
    assert import_all("streamer", folder=tmp_path) == "False []"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_importing_the_engine_starts_nothing(tmp_path: Path) -> None:
    assert import_all("engine", folder=tmp_path).endswith("[]")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_importing_the_kernels_starts_nothing_and_needs_no_triton(tmp_path: Path) -> None:
    assert import_all("kernels", folder=tmp_path) == "True []"
    assert not list(tmp_path.iterdir())


def test_no_installed_package_claims_our_folder_names() -> None:
    claimed = packages_distributions().keys()
    assert not {"streamer", "engine", "kernels", "benchmarks", "inference"} & claimed


def test_nobody_depends_on_the_package_called_kernels() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(line for extra in extras for line in extra)]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for line in [*wanted, *pins]:
        assert not line.startswith(("kernels", "mediapipe")), line


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["test"], *extras["dev"], *extras["demo"]]
    assert {line.split(">=")[0].split("[")[0] for line in wanted} <= pins
