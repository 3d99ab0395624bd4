"""Training material that a small network learns in seconds: the mouth opens with each burst."""

from collections.abc import Iterator

import numpy as np

from engine.training.crops import Sampler
from engine.training.programmes import Programme
from engine.training.whole_hearing import hear

SCALE = np.full(9, 0.2, np.float32)


def beats(seed: int) -> Programme:
    """Noise bursts and the mouth that goes with them."""
    random = np.random.default_rng(seed)
    beat = (np.sin(np.arange(400) * 0.4) > 0).astype(np.float32)
    sound = np.repeat(beat, 640) * random.normal(0, 0.1, 400 * 640) + random.normal(0, 1e-4, 256000)
    features = hear(sound.astype(np.float32)).features.astype(np.float16)
    return Programme(
        features, beat[:, None] * np.full(9, 0.4, np.float32), np.ones(400, np.float32)
    )


def rounds() -> Iterator[tuple[Sampler, Sampler]]:
    """The same two programmes for ever."""
    while True:
        yield Sampler([beats(0)]), Sampler([beats(1)])
