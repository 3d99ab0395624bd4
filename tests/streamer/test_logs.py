import contextvars
import json
import logging
import sys

import pytest

from streamer.logs import REQUEST_ID, SESSION_ID, JsonFormatter, TextFormatter


def record(message: str, *arguments: object, failed: bool = False) -> logging.LogRecord:
    info = None
    if failed:
        try:
            raise ValueError("no paint")
        except ValueError:
            info = sys.exc_info()
    return logging.LogRecord("streamer.x", logging.WARNING, "", 1, message, arguments, info)


def within(session: str, request: str, formatter: logging.Formatter, **options: bool) -> str:
    def write() -> str:
        SESSION_ID.set(session)
        REQUEST_ID.set(request)
        return formatter.format(record("a %s\nb", 1, **options))

    return contextvars.copy_context().run(write)


@pytest.mark.parametrize("failed", [False, True])
def test_json_is_one_object_on_one_line(failed: bool) -> None:
    line = within("s1", "r1", JsonFormatter(), failed=failed)
    assert "\n" not in line
    fields = json.loads(line)
    assert fields.pop("time").endswith("+00:00")
    assert ("no paint" in fields.pop("traceback", "")) == failed
    assert fields == {
        "level": "warning",
        "logger": "streamer.x",
        "message": "a 1\nb",
        "session": "s1",
        "request": "r1",
    }


def test_ids_are_told_only_where_they_are_known() -> None:
    assert within("", "", TextFormatter()) == "WARNING streamer.x: a 1\nb"
    assert within("s1", "", TextFormatter()) == "WARNING streamer.x: a 1 [session=s1]\nb"
    assert "session" not in json.loads(within("", "r1", JsonFormatter()))
