import json
from pathlib import Path

import numpy as np
import pytest

from engine.portrait.channels import Channel
from engine.training.corpus import CorpusError, amplitudes, lip_opening, read_corpus


def test_reads_one_role_in_order(corpus: Path, tmp_path: Path) -> None:
    clips = read_corpus(corpus, "ship", tmp_path)
    assert [clip.name for clip in clips] == ["anna", "bert"]
    assert [clip.name for clip in read_corpus(corpus, "eval", tmp_path)] == ["carl"]
    assert clips[0].phones[1].name == "AA"
    assert clips[0].seconds == 4.0


def test_measures_the_lips_in_centimetres(corpus: Path, tmp_path: Path) -> None:
    anna = read_corpus(corpus, "ship", tmp_path)[0]
    truth = 0.8 * np.maximum(np.sin(np.arange(5, 105) * 0.5), 0)
    assert np.corrcoef(lip_opening(anna.mouth), truth)[0, 1] > 0.98
    assert 0.6 < lip_opening(anna.mouth).max() < 0.95
    assert np.abs(anna.mouth[:, Channel.MOUTH_WIDE]).max() < 0.05


@pytest.mark.parametrize(("role", "place", "frames"), [("ship", 1, 98), ("eval", 0, 99)])
def test_the_lag_is_taken_out(
    corpus: Path, tmp_path: Path, role: str, place: int, frames: int
) -> None:
    clip = read_corpus(corpus, "ship" if role == "ship" else "eval", tmp_path)[place]
    assert clip.mouth.shape == (frames, 9)
    assert clip.samples.shape == (frames * 640,)
    loud = np.sqrt((clip.samples.reshape(-1, 640) ** 2).mean(1))
    by_lag = [np.corrcoef(np.roll(lip_opening(clip.mouth), lag), loud)[0, 1] for lag in (-1, 0, 1)]
    assert np.argmax(by_lag) == 1


def test_measures_are_kept(corpus: Path, tmp_path: Path) -> None:
    first = read_corpus(corpus, "ship", tmp_path / "cache")
    for file in corpus.glob("*.npz"):
        file.unlink()
    again = read_corpus(corpus, "ship", tmp_path / "cache")
    np.testing.assert_array_equal(first[1].mouth, again[1].mouth)
    assert not list((tmp_path / "cache").glob("*.part*"))


def test_frames_without_a_face_are_bridged(corpus: Path, tmp_path: Path) -> None:
    path = corpus / "anna.npz"
    with np.load(path) as arrays:
        delta = arrays["landmarks_delta"]
    present = np.ones(100, bool)
    present[40:43] = False
    delta[40] += 900
    delta[43] -= 900
    np.savez(path, landmarks_delta=delta, present=present)
    anna = read_corpus(corpus, "ship", tmp_path)[0]
    assert np.abs(np.diff(anna.mouth, axis=0)).max() < 0.5


def test_what_is_no_corpus_is_named(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"expected a corpus folder with index\.json"):
        read_corpus(tmp_path, "ship", tmp_path)
    (corpus / "index.json").write_text(json.dumps({"clips": []}))
    with pytest.raises(CorpusError, match="no clip has the role 'ship'"):
        read_corpus(corpus, "ship", tmp_path)


def test_amplitudes_lie_between_a_persons_own_and_the_usual(corpus: Path, tmp_path: Path) -> None:
    clips = read_corpus(corpus, "ship", tmp_path)
    common, own = amplitudes(clips)
    for clip in clips:
        alone = clip.mouth[:, Channel.LOWER_LIP_DOWN].std()
        usual = common[Channel.LOWER_LIP_DOWN]
        mixed = own[clip.identity][Channel.LOWER_LIP_DOWN]
        assert min(alone, usual) <= mixed <= max(alone, usual)
