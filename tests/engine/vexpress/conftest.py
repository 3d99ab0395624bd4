"""Where the goldens are, in the repository and beside it, and what it takes to make a film."""

from pathlib import Path

import pytest

from tests.engine.vexpress.command_line import SECONDS
from tests.engine.vexpress.tiny_models import SIZES, write_model_folder
from tests.sounds import chirps, write_sound

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


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, committed: Path) -> Path:
    """A folder of networks of a few thousand numbers."""
    folder = tmp_path_factory.mktemp("models") / "model_ckpts"
    write_model_folder(folder, committed / "weights" / "tiny_vae_A")
    return folder


@pytest.fixture
def given(models: Path, tmp_path: Path) -> dict[str, str]:
    """Flags that make a small film."""
    sound = chirps(16_000, 1.0)[:, : int(16_000 * SECONDS)]
    write_sound(tmp_path / "speech.wav", sound, 16_000)
    return {
        "--engine": "vexpress",
        "--reference_image": "astronaut",
        "--audio": str(tmp_path / "speech.wav"),
        "--output": str(tmp_path / "film.mp4"),
        "--model_dir": str(models),
        "--model_config": str(models / SIZES),
        "--size": "64",
        "--steps": "1",
        "--context_frames": "8",
        "--context_overlap": "2",
        "--device": "cpu",
    }
