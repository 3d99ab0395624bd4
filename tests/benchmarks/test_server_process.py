"""A server process is waited for, watched, and always ended."""

import os
from pathlib import Path

import pytest

from benchmarks.server_process import ServerError, rss_mb, running_server
from benchmarks.web import request

GOOD = """
import sys, http.server, os
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.send_header("X-Said", os.environ.get("SAID", ""))
        self.end_headers()
    def log_message(self, *_): pass
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Ready).serve_forever()
"""
BAD = "print('no model here'); raise SystemExit(3)"


def program(folder: Path, text: str) -> Path:
    path = folder / "program.py"
    path.write_text(text)
    return path


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_runs_for_as_long_as_the_block(tmp_path: Path) -> None:
    with running_server((), program(tmp_path, GOOD), {"SAID": "hello"}) as server:
        assert is_alive(server.pid)
        assert server.ready_s > 0
        reply = request("GET", server.url + "/readyz")
        assert (reply.is_good, reply.headers["x-said"]) == (True, "hello")
        assert request("GET", server.url + "/else").status == 404
    assert not is_alive(server.pid)


def test_a_failing_program_is_told_with_its_last_words(tmp_path: Path) -> None:
    with (
        pytest.raises(ServerError, match=r"exit code 3[\s\S]*no model here"),
        running_server((), program(tmp_path, BAD)),
    ):
        raise AssertionError("never reached")


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="memory is read on Linux only")
def test_memory_is_read_in_megabytes() -> None:
    before = rss_mb()
    held = bytearray(os.urandom(1) * 50_000_000)
    assert 45 < rss_mb(os.getpid()) - before < 60
    assert len(held) == 50_000_000
