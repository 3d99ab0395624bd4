"""Where the goldens are: a small set in the repository, the full one beside it if it is there."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
COMMITTED = ROOT / "tests" / "golden" / "vexpress"
SHARED = ROOT / ".." / "shared" / "vexpress"


@pytest.fixture(scope="session")
def committed() -> Path:
    """The goldens in the repository."""
    return COMMITTED


@pytest.fixture(scope="session")
def full_set() -> Path:
    """All goldens, with the weights of both configurations."""
    folder = SHARED / "golden"
    if not folder.is_dir():
        pytest.skip("the full set of goldens is not here (../shared/vexpress/golden)")
    return folder


@pytest.fixture(scope="session")
def manifest() -> Path:
    """Every key and shape of the published files."""
    path = SHARED / "state_dict_manifest.json"
    if not path.is_file():
        pytest.skip("the manifest of the published files is not here (../shared/vexpress)")
    return path
