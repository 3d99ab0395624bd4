"""What `Hearing` tells of a whole sound, by PyTorch: many times as fast as frame by frame."""

from functools import cache

import numpy as np
import torch
from safetensors.torch import load_file

from engine.api import Samples
from engine.portrait.hearing import PHONES, Heard
from engine.portrait.mel import HOPS_PER_FRAME, MelStream
from engine.portrait.phone_network import LATE_FRAMES, PhoneNetwork
from engine.portrait.phone_runner import PHONES_PATH


@cache
def shipped_phone_network() -> PhoneNetwork:
    """The phone network in this package."""
    network = PhoneNetwork()
    network.load_state_dict({name: part.float() for name, part in load_file(PHONES_PATH).items()})
    return network.eval().requires_grad_(requires_grad=False)


def hear(samples: Samples, network: PhoneNetwork | None = None) -> Heard:
    """What `Hearing` tells of a whole number of frames."""
    hops = MelStream().push(samples)
    with torch.inference_mode():
        steps = (network or shipped_phone_network())(torch.from_numpy(hops.phone_bands)[None])
    phones = np.zeros((len(hops) // HOPS_PER_FRAME, PHONES), np.float32)
    phones[LATE_FRAMES:] = steps[0].reshape(-1, PHONES)[:-LATE_FRAMES].numpy()
    features = np.concatenate([hops.features, phones.reshape(len(hops), -1)], 1)
    return Heard(features, hops)
