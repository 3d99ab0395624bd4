import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.hello import BadHelloError, Hello, parse_hello
from streamer.wire import HEADER, BadWireError, Codec, Flag, Kind, Packet, pack, unpack

U32 = st.integers(0, 2**32 - 1)


@given(
    st.builds(
        Packet,
        kind=st.sampled_from(Kind),
        codec=st.sampled_from(Codec),
        flags=st.integers(0, 2**16 - 1),
        epoch=U32,
        frame=U32,
        dropped=U32,
        pts=st.integers(0, 2**64 - 1),
        payload=st.binary(max_size=99),
    )
)
def test_what_is_packed_is_unpacked(packet: Packet) -> None:
    assert unpack(pack(packet)) == packet


def test_the_header_as_documented() -> None:
    packet = Packet(Kind.PICTURE, Codec.JPEG, Flag.KEY, 2, 7, 1, 7 * 1920, b"x")
    assert HEADER.size == 24
    assert pack(packet).hex() == "020301000200000007000000010000008034000000000000" + "78"


@given(st.binary(max_size=64))
def test_other_bytes_are_refused_by_our_own_error(data: bytes) -> None:
    with suppress(BadWireError):
        assert pack(unpack(data)) == data


def test_a_hello_needs_only_its_type() -> None:
    assert parse_hello('{"type": "hello"}') == Hello(type="hello")
    hello = parse_hello('{"type": "hello", "audio": "opus", "size": 256, "pace": "fast"}')
    assert (hello.audio, hello.video, hello.size, hello.pace) == ("opus", "jpeg", 256, "fast")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "json"),
        ("[]", "object"),
        ('{"type": "hi"}', "type: input should be 'hello'"),
        ('{"type": "hello", "video": "gif"}', "video: input should be 'jpeg' or 'h264'"),
        ('{"type": "hello", "size": 9}', "size: input should be greater than or equal to 128"),
        ('{"type": "hello", "size": "300"}', "size"),
        ('{"type": "hello", "speed": 2}', "speed: extra inputs are not permitted"),
        ('{"type": "hello", "avatar": "' + "a" * 300 + '"}', "avatar"),
        (" " * 3000, "3000 characters: expected at most 2048"),
        ("[" * 2000, "hello"),
    ],
)
def test_another_hello_is_refused_with_what_is_wrong(text: str, told: str) -> None:
    with pytest.raises(BadHelloError) as refused:
        parse_hello(text)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@settings(max_examples=50)
@given(JSON, st.dictionaries(st.sampled_from(["type", *Hello.model_fields]), JSON))
def test_any_json_is_a_hello_or_our_own_error(anything: object, near: dict[str, object]) -> None:
    for value in (anything, near, {**near, "type": "hello"}):
        with suppress(BadHelloError):
            assert parse_hello(json.dumps(value)).type == "hello"
