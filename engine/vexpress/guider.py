"""The V-Kps guider: drawings of three face points -> features added to the UNet's input."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from engine.vexpress.blocks import fold_frames, unfold_frames
from engine.vexpress.config import GuiderConfig


class VKpsGuider(nn.Module):
    """Plain convolutions, frame by frame: any split of a clip gives the same features."""

    def __init__(self, config: GuiderConfig) -> None:
        super().__init__()
        first, last = config.block_channels[0], config.block_channels[-1]
        self.conv_in = nn.Conv2d(3, first, 3, padding=1)
        self.blocks = nn.ModuleList()
        for channels, wider in pairwise(config.block_channels):
            self.blocks.append(nn.Conv2d(channels, channels, 3, padding=1))
            self.blocks.append(nn.Conv2d(channels, wider, 3, stride=2, padding=1))
        self.conv_out = nn.Conv2d(last, config.out_channels, 3, padding=1)
        # A new guider says nothing: training starts from a UNet without it.
        for parameter in self.conv_out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, images: Tensor) -> Tensor:
        """RGB in 0..1 [b, 3, frames, height, width] -> [b, c, frames, height / 8, width / 8]."""
        x = functional.silu(self.conv_in(fold_frames(images)))
        for conv in self.blocks:
            x = functional.silu(conv(x))
        return unfold_frames(self.conv_out(x), images.shape[2])
