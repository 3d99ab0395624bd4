"""What the server codes, the client decodes, in step."""

import av
import cv2
import numpy as np
import pytest

from streamer.client.units import PictureDecoder, SoundTimeline, UnitAssembler
from streamer.performance import to_video_frame
from streamer.socket_codecs import KEY_EVERY_FRAMES, fitted, picture_coder, sound_coder
from streamer.wire import TICKS_PER_FRAME, Codec, Kind, Packet

FRAMES = 8


def picture(level: int) -> av.VideoFrame:
    return to_video_frame(np.full((128, 96, 3), level, np.uint8))


@pytest.mark.parametrize(("codec", "size"), [("jpeg", (96, 128)), ("h264", (48, 64))])
def test_pictures_come_back_in_order(codec: str, size: tuple[int, int]) -> None:
    coder = picture_coder("h264" if codec == "h264" else "jpeg", *size)
    decoder = PictureDecoder(coder.codec)
    keys = []
    for level in range(40, 40 + 2 * KEY_EVERY_FRAMES):
        source = picture(level)
        payload, is_key = coder.encode(source)
        assert payload != coder.encode(source)[0] or codec == "jpeg", "it may be coded again"
        keys.append(is_key)
        decoded = decoder.decode(payload)
        assert decoded is not None
        assert decoded.shape == (size[1], size[0], 3)
        if codec == "jpeg":
            assert abs(float(decoded.mean()) - level) < 2
    assert keys[0]
    assert all(keys) == (codec == "jpeg")
    assert sum(keys) > 1, "who comes late sees something within two seconds"


def test_bytes_that_are_no_picture_show_nothing() -> None:
    assert PictureDecoder(Codec.JPEG).decode(b"nonsense") is None


@pytest.mark.parametrize("codec", ["pcm", "opus"])
def test_a_click_comes_back_where_it_was(codec: str) -> None:
    coder = sound_coder("opus" if codec == "opus" else "pcm")
    timeline = SoundTimeline(coder.codec, coder.pre_skip)
    sound = np.zeros(FRAMES * TICKS_PER_FRAME, np.int16)
    at = 4 * TICKS_PER_FRAME + 500
    sound[at : at + 40] = 20_000
    for begin in range(0, len(sound), 960):
        payload = coder.encode(sound[begin : begin + 960])
        timeline.push(Packet(Kind.SOUND, coder.codec, 0, 0, 0, 0, begin, payload))
    whole = np.concatenate([timeline.take(frame) for frame in range(FRAMES - 1)])
    assert abs(int(np.abs(whole).argmax()) - at - 20) < 40
    assert not timeline.has(FRAMES)
    assert timeline.take(FRAMES + 3).tolist() == [0.0] * TICKS_PER_FRAME


def test_sizes_fit_and_are_even() -> None:
    assert fitted(512, 512, None) == (512, 512)
    assert fitted(512, 512, 1024) == (512, 512)
    assert fitted(1080, 1920, 640) == (360, 640)
    assert fitted(333, 501, 250) == (166, 250)


def packets(frame: int, *, with_picture: bool = True, dropped: int = 0) -> list[Packet]:
    silence = np.full(960, frame, "<i2").tobytes()
    pts = frame * TICKS_PER_FRAME
    halves = [
        Packet(Kind.SOUND, Codec.PCM, 0, 3, frame, dropped, pts + part, silence)
        for part in (0, 960)
    ]
    _, jpeg = cv2.imencode(".png", np.full((8, 8, 3), frame, np.uint8))
    shown = Packet(Kind.PICTURE, Codec.JPEG, 1, 3, frame, dropped, pts, jpeg.tobytes())
    return [*halves, shown] if with_picture else halves


def test_units_are_whole_and_in_order_even_without_their_picture() -> None:
    assembler = UnitAssembler(SoundTimeline(Codec.PCM, 0), PictureDecoder(Codec.JPEG))
    units = []
    for frame in range(10, 25):
        for packet in packets(frame, with_picture=frame != 12, dropped=int(frame >= 12)):
            units += assembler.push(packet)
    units += assembler.finish()
    assert [unit.frame for unit in units] == list(range(10, 25))
    assert [unit.frame for unit in units if unit.picture is None] == [12]
    for unit in units:
        assert unit.epoch == 3
        assert set(np.round(unit.samples * 32_768)) == {unit.frame}
        assert unit.picture is None or int(unit.picture[0, 0, 0]) == unit.frame
    assert units[-1].dropped_pictures == 1
