"""Fetching from a server that talks like the hub: checksums, resuming, and being offline."""

import hashlib
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.vexpress.weights import (
    BAD_INPUT,
    LICENCE_NOTICE,
    PUBLISHED_FILES,
    SUMS,
    PublishedFile,
    Source,
    WeightsError,
    app,
    fetch,
    sha256_of,
    verify,
)

ROOT = Path(__file__).parents[3]
REVISION = "0123456789abcdef0123456789abcdef01234567"
SOURCE = Source(repository="someone/model", revision=REVISION, folder="v-express")
LARGE = bytes(range(256)) * 4096
SMALL = b'{"a": 1}'


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Hub:
    """A server with two files; it can lie about a checksum and cut a connection."""

    files: dict[str, bytes] = field(default_factory=lambda: {"a.bin": LARGE, "b.json": SMALL})
    announced: dict[str, str] = field(default_factory=dict)
    cut_once: bool = False
    ranges: list[str] = field(default_factory=list)
    downloads: int = 0
    address: str = ""

    def etag(self, name: str) -> str:
        data = self.files[name]
        short = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        return self.announced.get(name, digest(data) if name.endswith(".bin") else short)


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _answer(self, *, with_body: bool) -> None:
        name = self.path.removeprefix(f"/someone/model/resolve/{REVISION}/")
        if name not in self.hub.files:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data, start = self.hub.files[name], 0
        asked = self.headers.get("Range", "")
        if with_body and asked:
            self.hub.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").split("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{self.hub.etag(name)}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if with_body:
            self._send(data[start:])

    def _send(self, data: bytes) -> None:
        if self.hub.cut_once and len(data) > 1000:
            self.hub.cut_once = False
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return
        self.hub.downloads += 1
        self.wfile.write(data)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    # The library has read its environment by now, so its settings are changed themselves.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_PROGRESS_BARS", True)
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield hub
        server.shutdown()
        thread.join()


def wanted(*names: str, sha256: str | None = None) -> tuple[PublishedFile, ...]:
    return tuple(PublishedFile(source=SOURCE, name=name, sha256=sha256) for name in names)


def quiet(_line: str) -> None:
    """Hear and forget."""


@pytest.mark.slow
def test_files_arrive_checked_and_are_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    told: list[str] = []
    files = (*wanted("a.bin"), *wanted("b.json", sha256=digest(SMALL)))
    fetch(folder, files, hub.address, told.append)
    assert (folder / "v-express" / "a.bin").read_bytes() == LARGE
    assert (folder / "v-express" / "b.json").read_bytes() == SMALL
    assert told[0] == LICENCE_NOTICE
    assert [line.rpartition(": ")[2] for line in told[1:]] == ["right", "right"]
    assert f"{digest(LARGE)}  v-express/a.bin" in (folder / SUMS).read_text()
    fetch(folder, files, hub.address, told.append)
    assert hub.downloads == 2
    assert [line.rpartition(": ")[2] for line in told[4:]] == ["there and right"] * 2


@pytest.mark.slow
def test_a_download_goes_on_where_it_was_cut_off(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the library has not written by then is lost; it writes pieces of ten megabytes.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1 << 16)
    hub.cut_once = True
    try:
        fetch(tmp_path / "models", wanted("a.bin"), hub.address, quiet)
    except WeightsError:  # some versions of the library try again by themselves, others do not
        fetch(tmp_path / "models", wanted("a.bin"), hub.address, quiet)
    assert (tmp_path / "models" / "v-express" / "a.bin").read_bytes() == LARGE
    assert any(asked.startswith("bytes=") and asked[6] != "0" for asked in hub.ranges)


@pytest.mark.slow
@pytest.mark.parametrize("pinned", [digest(b"other"), None])
def test_a_wrong_checksum_leaves_nothing(hub: Hub, tmp_path: Path, pinned: str | None) -> None:
    hub.announced["a.bin"] = digest(b"announced otherwise")
    with pytest.raises(WeightsError, match="SHA-256 is"):
        fetch(tmp_path / "models", wanted("a.bin", sha256=pinned), hub.address, quiet)
    assert not (tmp_path / "models" / "v-express" / "a.bin").exists()
    hub.announced.clear()
    fetch(tmp_path / "models", wanted("a.bin"), hub.address, quiet)  # nothing bad was kept


@pytest.mark.slow
def test_without_a_server_the_error_says_what_to_put_where(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    folder = tmp_path / "models"
    with pytest.raises(WeightsError) as caught:
        fetch(folder, wanted("a.bin", "b.json"), hub.address, quiet)
    for name in ("a.bin", "b.json"):
        address = f"https://huggingface.co/someone/model/resolve/{REVISION}/{name}"
        assert f"{address} -> {folder / 'v-express' / name}" in str(caught.value)
    assert not folder.exists()


@pytest.mark.slow
def test_a_file_that_the_server_lacks_is_named(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"v-express/gone\.bin: cannot be fetched"):
        fetch(tmp_path / "models", wanted("gone.bin"), hub.address, quiet)


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / "v-express" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_folder_filled_by_hand_is_verified(tmp_path: Path) -> None:
    told: list[str] = []
    put(tmp_path, "a.bin", LARGE)
    put(tmp_path, "b.json", SMALL)
    verify(tmp_path, (*wanted("a.bin", sha256=digest(LARGE)), *wanted("b.json")), told.append)
    assert [line.rpartition(": ")[2] for line in told] == [
        "right",
        "there, its checksum is not known",
    ]
    put(tmp_path, "a.bin", LARGE[:-1])
    with pytest.raises(WeightsError, match=r"a\.bin: SHA-256 is"):
        verify(tmp_path, wanted("a.bin", sha256=digest(LARGE)), told.append)
    with pytest.raises(WeightsError, match=r"c\.bin: missing"):
        verify(tmp_path, wanted("c.bin"), told.append)


def test_what_was_fetched_is_remembered_by_its_checksum(tmp_path: Path) -> None:
    path = put(tmp_path, "a.bin", LARGE)
    (tmp_path / SUMS).write_text(f"{digest(LARGE)}  v-express/a.bin\n")
    verify(tmp_path, wanted("a.bin"), quiet)
    path.write_bytes(LARGE[1:])
    with pytest.raises(WeightsError, match="expected"):
        verify(tmp_path, wanted("a.bin"), quiet)
    assert sha256_of(path) == digest(LARGE[1:])


def test_every_published_file_is_pinned() -> None:
    for file in PUBLISHED_FILES:
        assert len(file.source.revision) == 40
        assert file.sha256 is None or len(file.sha256) == 64
    unknown = [file.name for file in PUBLISHED_FILES if file.sha256 is None]
    assert unknown == ["audio_projection.bin", "denoising_unet.bin"]
    places = [file.place for file in PUBLISHED_FILES]
    assert {"taesd/config.json", "taesd/diffusion_pytorch_model.safetensors"} < set(places)
    assert len(set(places)) == len(places)


def test_the_command_reports_in_words(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["verify", str(tmp_path)])
    assert done.exit_code == BAD_INPUT
    assert "audio_projection.bin: missing" in done.output
    assert f"-> {tmp_path / 'v-express' / 'audio_projection.bin'}" in done.output


@pytest.mark.parametrize(
    ("named", "expected"),
    [([], "model_ckpts"), (["here"], "{cwd}/here"), (["/models"], "/models")],
)
def test_the_script_calls_the_command(tmp_path: Path, named: list[str], expected: str) -> None:
    done = subprocess.run(
        ["bash", str(ROOT / "scripts" / "download_models.sh"), *named],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHON": "echo"},
        check=True,
        capture_output=True,
        text=True,
    )
    wanted = expected.format(cwd=tmp_path)
    assert done.stdout.strip() == f"-m engine.vexpress.weights fetch {wanted}"
