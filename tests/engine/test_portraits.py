"""The bundled portraits are there, and reading them imports no heavy package."""

import subprocess
import sys
from pathlib import Path

from engine.portraits import DEFAULT_PORTRAIT, bundled_portrait_path, bundled_portraits

ROOT = Path(__file__).parents[2]


def test_the_default_comes_first_and_all_are_pictures() -> None:
    portraits = bundled_portraits()
    assert list(portraits) == [DEFAULT_PORTRAIT, "hopper"]
    assert portraits["astronaut"].shape == (512, 512, 3)
    assert portraits["hopper"].shape == (600, 512, 3)


def test_nothing_is_imported_to_find_them() -> None:
    code = (
        "import sys; from engine.portraits import bundled_portraits; bundled_portraits();"
        "sys.exit(bool({'skimage', 'matplotlib', 'torch'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_an_unknown_name_has_no_path() -> None:
    assert bundled_portrait_path("nobody") is None
