"""Get the published weights: `python -m engine.vexpress.weights fetch [FOLDER]`.

Every file is pinned to one revision and, where its checksum has been published, to that; the others
are compared with the checksum that the server announces. Downloads go through the cache of
huggingface_hub (`HF_HOME`), resume where they were cut off, and are then linked into FOLDER.
`verify` checks a folder without any network.
"""

import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.api import AvatarError
from engine.vexpress.extra import require
from engine.vexpress.model_files import DEFAULT_FOLDER, SPEECH_ENCODER, TINY_VAE, TRAINED, VAE

BAD_INPUT = 2  # exit code
LICENCE_NOTICE = (
    "V-Express weights are published by Tencent AI Lab for non-commercial research; read their "
    "model card before you use them for anything else. sd-vae-ft-mse, taesd: MIT. "
    "wav2vec2: Apache-2.0."
)
SUMS = "SHA256SUMS"  # of a fetched folder, in the format of `sha256sum`
SHA256 = re.compile(r"[0-9a-f]{64}")
BLOCK_BYTES = 1 << 22


class WeightsError(AvatarError):
    """Weights that cannot be had, or are not what they should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A repository at one revision, and the folder that its files go to."""

    repository: str
    revision: str
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFile:
    """One file, and its checksum where that is known beforehand."""

    source: Source
    name: str
    sha256: str | None = None

    @property
    def place(self) -> str:
        """Where it belongs below the model folder."""
        return f"{self.source.folder}/{self.name}"

    @property
    def address(self) -> str:
        """Where people find it."""
        source = self.source
        return f"https://huggingface.co/{source.repository}/resolve/{source.revision}/{self.name}"


_TRAINED = Source(
    repository="tk93/V-Express",
    revision="a1fc917ed7cbebe124c3566c8eb1228512f092c0",
    folder=TRAINED,
)
_VAE = Source(
    repository="stabilityai/sd-vae-ft-mse",
    revision="31f26fdeee1355a5c34592e401dd41e45d25a493",
    folder=VAE,
)
_TINY_VAE = Source(
    repository="madebyollin/taesd",
    revision="614f76814bbe30edbe2e627ace1c2234c81a2c0e",
    folder=TINY_VAE,
)
_SPEECH = Source(
    repository="facebook/wav2vec2-base-960h",
    revision="22aad52d435eb6dbaf354bdad9b0da84ce7d6156",
    folder=SPEECH_ENCODER,
)
PUBLISHED_FILES = (
    PublishedFile(source=_TRAINED, name="audio_projection.bin"),
    PublishedFile(source=_TRAINED, name="denoising_unet.bin"),
    PublishedFile(
        source=_TRAINED,
        name="motion_module.bin",
        sha256="d24d6c0bfc533a044451efec748891ba2eadb6a3012d3d330d15fe53f31ea8d2",
    ),
    PublishedFile(
        source=_TRAINED,
        name="reference_net.bin",
        sha256="0de01e098d2dc85c5c853d2ef9843a371e88650345bd58e34d39cf613f76f3d0",
    ),
    PublishedFile(
        source=_TRAINED,
        name="v_kps_guider.bin",
        sha256="33bfe3cfa92990d69b751a483357a584e99e79ffc9d0d4c0368f03c245545bc2",
    ),
    PublishedFile(
        source=_VAE,
        name="config.json",
        sha256="92d3dfb746fca211a2c9e019e285f8597412211728dce3c5bcf4eda0f2d62e7e",
    ),
    PublishedFile(
        source=_VAE,
        name="diffusion_pytorch_model.safetensors",
        sha256="a1d993488569e928462932c8c38a0760b874d166399b14414135bd9c42df5815",
    ),
    PublishedFile(
        source=_TINY_VAE,
        name="config.json",
        sha256="3ebefd1aa96ac474cc6430fe6ea81febccf7ee82461715691ee9315c884adeef",
    ),
    PublishedFile(
        source=_TINY_VAE,
        name="diffusion_pytorch_model.safetensors",
        sha256="db169d69145ec4ff064e49d99c95fa05d3eb04ee453de35824a6d0f325513549",
    ),
    PublishedFile(
        source=_SPEECH,
        name="config.json",
        sha256="d3ec255c063d9f95057b553b19c20135b259875834a4fe9deb218a6be25b4cf3",
    ),
    PublishedFile(
        source=_SPEECH,
        name="preprocessor_config.json",
        sha256="b225d617c025463b9e157e06afea8b90dc7078fc70b013c533328423e0486b4a",
    ),
    PublishedFile(
        source=_SPEECH,
        name="model.safetensors",
        sha256="8aa76ab2243c81747a1f832954586bc566090c83a0ac167df6f31f0fa917d74a",
    ),
)


def fetch(
    folder: Path,
    files: tuple[PublishedFile, ...] = PUBLISHED_FILES,
    endpoint: str | None = None,
    tell: Callable[[str], None] = typer.echo,
) -> None:
    """Bring every file into `folder`, checked; what is there and right is left alone."""
    tell(LICENCE_NOTICE)
    known = _read_sums(folder)
    for file in files:
        place = folder / file.place
        wanted = file.sha256 or known.get(file.place)
        if wanted is not None and place.is_file() and sha256_of(place) == wanted:
            tell(f"{place}: there and right")
            continue
        try:
            cached, announced = _download(file, endpoint)
        except WeightsError as error:
            absent = tuple(other for other in files if not (folder / other.place).is_file())
            raise WeightsError(f"{error}; {_by_hand(absent, folder)}") from error
        found = sha256_of(cached)
        expected = file.sha256 or announced
        if expected is not None and found != expected:
            cached.resolve().unlink(missing_ok=True)  # a later fetch shall not find it again
            raise WeightsError(f"{file.address}: SHA-256 is {found}, expected {expected}")
        _link(cached, place)
        known[file.place] = found
        _write_sums(folder, known)
        tell(f"{place}: {'right' if expected else 'fetched, its checksum is published nowhere'}")


def verify(
    folder: Path,
    files: tuple[PublishedFile, ...] = PUBLISHED_FILES,
    tell: Callable[[str], None] = typer.echo,
) -> None:
    """Compare the files in `folder` with their checksums. Raises for the first that differs."""
    known = _read_sums(folder)
    for file in files:
        place = folder / file.place
        if not place.is_file():
            raise WeightsError(f"{place}: missing; {_by_hand((file,), folder)}")
        found, wanted = sha256_of(place), file.sha256 or known.get(file.place)
        if wanted is not None and found != wanted:
            raise WeightsError(f"{place}: SHA-256 is {found}, expected {wanted}")
        tell(f"{place}: {'right' if wanted else 'there, its checksum is not known'}")


def sha256_of(path: Path) -> str:
    """The checksum of a file of any size."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _download(file: PublishedFile, endpoint: str | None) -> tuple[Path, str | None]:
    """The file in the cache, and the checksum that the server announced, if it did."""
    hub: Any = require("huggingface_hub")
    errors: Any = require("huggingface_hub.errors")
    where = {"repo_id": file.source.repository, "filename": file.name}
    where |= {"revision": file.source.revision}
    try:
        path = Path(hub.hf_hub_download(**where, endpoint=endpoint))
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise WeightsError(f"{file.place}: cannot be fetched ({reason})") from error
    # Large files lie in the cache under the checksum that the server announced for them.
    blob = path.resolve().name
    return path, blob if SHA256.fullmatch(blob) else None


def _by_hand(files: tuple[PublishedFile, ...], folder: Path) -> str:
    """What to do where there is no network, a line for each file."""
    lines = [f"  {file.address} -> {folder / file.place}" for file in files]
    return "\n".join(["without a network, get these elsewhere and put them there:", *lines])


def _link(cached: Path, place: Path) -> None:
    """Let `place` be the cached file: by a link, or where there are none by a copy."""
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f".{place.name}.part")
    partial.unlink(missing_ok=True)
    try:
        partial.symlink_to(cached.resolve())
    except OSError:
        shutil.copyfile(cached, partial)
    partial.replace(place)


def _read_sums(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    pairs = [line.split(maxsplit=1) for line in lines if line.strip()]
    return {name.lstrip("*"): digest for digest, name in pairs}


def _write_sums(folder: Path, sums: dict[str, str]) -> None:
    partial = folder / f".{SUMS}.part"
    lines = [f"{digest}  {place}\n" for place, digest in sorted(sums.items())]
    partial.write_text("".join(lines), encoding="utf-8")
    partial.replace(folder / SUMS)


app = typer.Typer(add_completion=False, help=__doc__)
Folder = Annotated[Path, typer.Argument(help="The model folder.")]


@app.command("fetch")
def _fetch(folder: Folder = DEFAULT_FOLDER) -> None:
    """Download what is missing or wrong, 6.4 GB in all."""
    _reporting(lambda: fetch(folder))


@app.command("verify")
def _verify(folder: Folder = DEFAULT_FOLDER) -> None:
    """Check the files that are there."""
    _reporting(lambda: verify(folder))


def _reporting(work: Callable[[], None]) -> None:
    try:
        work()
    except (AvatarError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(BAD_INPUT) from error


if __name__ == "__main__":
    app()
