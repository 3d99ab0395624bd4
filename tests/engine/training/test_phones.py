from pathlib import Path

import numpy as np
import pytest
import torch

from engine.portrait.mel import MelStream
from engine.portrait.phone_network import PhoneNetwork
from engine.portrait.phone_runner import PhoneWeights
from engine.training.corpus import CorpusError
from engine.training.loop import Log, Pace
from engine.training.phone_teacher import Teacher, begin, read_teacher
from engine.training.phones import Lesson, learn, lesson, save_phones
from tests.engine.training.recognisers import recogniser, write


@pytest.fixture
def teacher_file(tmp_path: Path) -> Path:
    file = tmp_path / "recogniser.hama"
    write(recogniser(), file)
    return file


def sound(frames: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(0, 0.1, 640 * frames).astype(np.float32)


def test_a_file_is_read_as_it_was_written(teacher_file: Path) -> None:
    read = read_teacher(teacher_file)
    assert read.keys() == recogniser().keys()
    for name, array in recogniser().items():
        np.testing.assert_array_equal(read[name].numpy(), array)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"RIFF")
    with pytest.raises(CorpusError, match="expected weights that begin with"):
        read_teacher(tmp_path / "other")


def test_without_context_the_student_begins_as_its_teacher(teacher_file: Path) -> None:
    read = read_teacher(teacher_file)
    teacher, network = Teacher(read), PhoneNetwork().eval()
    network.load_state_dict(begin(read), strict=True)
    level = np.full(40, -26.0, np.float32)
    with torch.inference_mode():
        told = network(teacher.bands(sound(10), level)[None])[0].numpy()
    np.testing.assert_allclose(told, teacher.hear(sound(10), level), atol=1e-4)


def test_a_level_is_made_up_for(teacher_file: Path) -> None:
    teacher, level = Teacher(read_teacher(teacher_file)), np.full(40, -26.0, np.float32)
    usual, quiet = (
        teacher.hear(sound(10), level),
        teacher.hear(sound(10) * np.float32(0.1), level - 20),
    )
    np.testing.assert_allclose(usual, quiet, atol=1e-3)


@pytest.mark.slow
def test_a_student_comes_nearer_and_goes_on_where_it_stopped(
    teacher_file: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    read, pace = read_teacher(teacher_file), Pace(steps=4, learning_rate=3e-3, average=0.0)
    heard = lesson(Teacher(read), sound(140))
    assert heard.bands.shape == (560, 80)
    given, log = [Lesson(heard.bands, heard.steps * np.float16(0.5))], Log("phones")
    network = learn(begin(read), given, pace, log, tmp_path / "checkpoint")
    assert log.losses[-1] < 0.9 * log.losses[0]
    save_phones(network, tmp_path / "phones.safetensors")
    PhoneWeights.load(tmp_path / "phones.safetensors")
    again = learn(begin(read), given, pace, Log("phones"), tmp_path / "checkpoint")
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_lessons_are_in_step_with_hops(teacher_file: Path) -> None:
    heard = lesson(Teacher(read_teacher(teacher_file)), sound(5))
    assert len(heard.bands) == len(MelStream().push(sound(5))) == 2 * len(heard.steps)
