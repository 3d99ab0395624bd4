"""The two words about utterances: where one ends, and that it was played."""

import json

FLUSHED = '{"type": "flushed"}'


def is_flush(text: str) -> bool:
    """Whether a text message ends an utterance."""
    try:
        return bool(json.loads(text) == {"type": "flush"})
    except (ValueError, RecursionError):
        return False
