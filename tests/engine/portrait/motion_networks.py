"""Motion networks with weights drawn by chance, in which every input counts."""

import torch

from engine.portrait.motion_denoiser import MotionNetwork


def network(seed: int = 0) -> MotionNetwork:
    torch.manual_seed(seed)
    made = MotionNetwork().eval()
    torch.nn.init.normal_(made.unet.leave.weight, std=0.05)  # which training begins with zero
    made.middle.normal_()
    made.spread.uniform_(0.5, 1.5)
    return made.requires_grad_(requires_grad=False)
