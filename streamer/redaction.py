"""Keeps tokens in addresses out of the log, whoever writes the address down."""

import logging
import re

_TOKEN = re.compile(r"([?&]token=)[^&\s'\"]+")


class Redacting(logging.Filter):
    """For a logger or a handler; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Blacken tokens in the finished message."""
        message = record.getMessage()
        blackened = _TOKEN.sub(r"\1...", message)
        if blackened != message:
            record.msg, record.args = blackened, None
        return True
