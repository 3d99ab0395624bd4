import json
from pathlib import Path
from typing import get_args

import pytest

from streamer import protocol

GOLDEN = json.loads(Path(__file__, "../../golden/protocol.json").resolve().read_text())


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: str(case["value"]["type"]))
def test_golden_messages(case: dict[str, str]) -> None:
    assert protocol.encode(protocol.decode(case["text"])) == case["text"]
    assert json.loads(case["text"]) == case["value"]


def test_the_golden_file_shows_every_message() -> None:
    shown = {type(protocol.decode(case["text"])) for case in GOLDEN}
    assert shown == set(get_args(protocol.Message))


def test_nothing_shown_yet_is_null() -> None:
    text = protocol.encode(protocol.Stats(0, 0, 0, 0, 0.0, None, 0.0, False))
    assert json.loads(text)["mic_to_lips_ms"] is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "[]",
        "{}",
        '{"type": "ping"}',
        '{"type": "ping", "id": "7"}',
        '{"type": "ping", "id": true}',
        '{"type": "interrupt", "epoch": 1}',
        '{"type": "direct"}',
        '{"type": "direct", "direction": 7}',
        '{"type": "direct", "direction": {"yaw": 7}}',
        '{"type": "direct", "direction": {"strength": "1"}}',
        '{"type": "direct", "direction": {"pose": {"yaw": true}}}',
        '{"type": "direct", "direction": {"pose": {"yaw": NaN}}}',
        '{"type": "direct", "direction": {"emotion": null}}',
        '{"type": "gesture", "name": 3}',
        '{"type": "nonsense"}',
        '{"type": ["ping"]}',
        '{"type": "interrupt"}' + " " * 2000,
        "[" * 1000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(protocol.BadMessageError):
        protocol.decode(text)


def test_a_refusal_says_where_what_was_given_and_what_is_expected() -> None:
    with pytest.raises(protocol.BadMessageError, match=r"pose.nod: expected only yaw, pitch, roll"):
        protocol.decode('{"type": "direct", "direction": {"pose": {"nod": 1}}}')
    with pytest.raises(protocol.BadMessageError, match=r"nose: expected only pose, emotion"):
        protocol.decode('{"type": "direct", "direction": {"nose": 1}}')
    with pytest.raises(protocol.BadMessageError, match=r"pose.yaw 'left': .*valid number"):
        protocol.decode('{"type": "direct", "direction": {"pose": {"yaw": "left"}}}')
