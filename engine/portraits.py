"""Portraits to begin with: public-domain photographs that dependencies carry. No torch.

astronaut: Eileen Collins, NASA photograph, from scikit-image. hopper: Rear Admiral Grace Hopper,
United States Navy photograph, from matplotlib, where that is installed.
"""

from importlib.util import find_spec
from pathlib import Path

from engine.api import Picture
from engine.picture import read_picture_file

DEFAULT_PORTRAIT = "astronaut"
_PLACES = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
}


def bundled_portraits() -> dict[str, Picture]:
    """Return the bundled portraits by name, the default one first."""
    paths = {name: bundled_portrait_path(name) for name in _PLACES}
    return {name: read_picture_file(path) for name, path in paths.items() if path is not None}


def bundled_portrait_path(name: str) -> Path | None:
    """Tell where a bundled portrait lies; None for an unknown name or a missing package."""
    if name not in _PLACES:
        return None
    package, inside = _PLACES[name]
    found = find_spec(package)  # finds without importing, which for these two would take long
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / inside
    return path if path.is_file() else None
