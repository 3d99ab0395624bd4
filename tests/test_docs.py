"""What the documents say about the repository is true."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# A name in backticks counts as a path of ours when it has a slash or a known ending and nothing
# that belongs to commands, patterns, addresses or code.
IN_BACKTICKS = re.compile(r"(?<!`)`([^`\s]+)`(?!`)")
ENDINGS = ("css", "html", "js", "json", "jsonl", "md", "png", "py", "safetensors", "toml", "txt")
OURS = re.compile(rf"\.?[\w-]+(/[\w.-]+)+/?|[\w-]+\.({'|'.join(ENDINGS)})|[\w-]+/|Makefile|LICENSE")
LINK = re.compile(r"\]\(([^)#\s]+)")
# Media types look like paths.
NO_PATHS = {
    "@eyevinn/whip-web-client",
    "@eyevinn/webrtc-player",
    "application/sdp",
    "application/trickle-ice-sdpfrag",
    "image/jpeg",
    "multipart/form-data",
}


def paths_named_in(text: str) -> list[str]:
    """Everything in backticks that reads like a path inside the repository."""
    return [name for name in IN_BACKTICKS.findall(text) if OURS.fullmatch(name)]


def exists(name: str, document: Path) -> bool:
    """Paths count from the repository's root or from the document's folder."""
    return (ROOT / name).exists() or (document.parent / name).exists()


def test_a_path_is_told_from_other_code() -> None:
    text = "`engine/api.py` `make run` `Makefile` `/v1/sessions` `a.b()` `docs/` `x=1` `README.md`"
    assert paths_named_in(text) == ["engine/api.py", "Makefile", "docs/", "README.md"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_path_named_in_a_document_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = [name for name in paths_named_in(text) if name not in NO_PATHS]
    links = [link for link in LINK.findall(text) if "://" not in link and link[:7] != "mailto:"]
    assert [name for name in named + links if not exists(name, document)] == []


def test_the_newest_change_is_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d[^\]]*)\]", changes, flags=re.MULTILINE)
    assert versions[0] == project["version"]
