"""Phone networks with weights drawn by chance."""

import torch

from engine.portrait.phone_network import PhoneNetwork
from engine.portrait.phone_runner import PhoneWeights


def network(seed: int = 0) -> PhoneNetwork:
    torch.manual_seed(seed)
    return PhoneNetwork().eval().requires_grad_(requires_grad=False)


def weights(made: PhoneNetwork) -> PhoneWeights:
    return PhoneWeights({name: part.numpy() for name, part in made.state_dict().items()})
