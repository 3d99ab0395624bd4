"""What the log looks like: lines for people, or one JSON object a line for programs.

Each line names the session and the request that it belongs to, by context variables: whoever
starts a task or serves a request sets them once.
"""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum

SESSION_ID: ContextVar[str] = ContextVar("session_id", default="")
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
_FIELDS = (("session", SESSION_ID), ("request", REQUEST_ID))


class LogFormat(StrEnum):
    """How a line is written."""

    TEXT = "text"
    JSON = "json"


class TextFormatter(logging.Formatter):
    """`LEVEL logger: message [session=... request=...]`."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback if there is one."""
        line, newline, rest = super().format(record).partition("\n")
        known = [f"{name}={variable.get()}" for name, variable in _FIELDS if variable.get()]
        return f"{line} [{' '.join(known)}]{newline}{rest}" if known else f"{line}{newline}{rest}"


class JsonFormatter(logging.Formatter):
    """One object a line; ids only where they are known."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: variable.get() for name, variable in _FIELDS if variable.get()},
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def set_up_logging(level: str, log_format: LogFormat) -> None:
    """Let the program's log go to the error output; to be called once, at the edge."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format is LogFormat.JSON else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
