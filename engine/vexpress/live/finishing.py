"""How decoded squares become the frames that one visitor sees."""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.api import StreamOptions
from engine.vexpress.images import LATENT_PIXELS
from engine.vexpress.live.avatar import VExpressAvatar
from engine.vexpress.live.backdrop import Backdrop
from engine.vexpress.live.decoding import Badge, Finish, badge_extremes
from kernels.i420 import rgb_bytes_to_i420


@dataclass(frozen=True, slots=True)
class SquareFinish:
    """The square is the frame."""

    badge: Badge
    planes: bool

    def __call__(self, rgb: Tensor, i420: Tensor) -> Tensor:
        """Choose what the decoder has made already."""
        _, height, width, _ = rgb.shape
        return i420.reshape(-1, height * 3 // 2, width) if self.planes else rgb


@dataclass(frozen=True, slots=True)
class WholeFinish:
    """The square goes back into the picture that it was cut from."""

    badge: Badge  # none: that of the whole picture comes after pasting
    planes: bool
    backdrop: Backdrop
    stamp: "Stamp | None"

    def __call__(self, rgb: Tensor, i420: Tensor) -> Tensor:
        """Paste, then paint the badge, then make planes."""
        del i420  # of the square alone
        pictures = self.backdrop.around(rgb)
        if self.stamp is not None:
            self.stamp.paint_(pictures)
        _, height, width, _ = pictures.shape
        if not self.planes:
            return pictures
        return rgb_bytes_to_i420(pictures).reshape(-1, height * 3 // 2, width)


class Stamp:
    """The badge of whole pictures, painted where they are. Only its corner is touched."""

    def __init__(self, height: int, width: int, device: torch.device) -> None:
        low, high = (torch.from_numpy(x).float() for x in badge_extremes(height, width))
        touched = (high - low < 255).any(dim=2)  # noqa: PLR2004  the brightest a byte can be
        rows, columns = (touched.any(dim=axis).nonzero()[:, 0].tolist() for axis in (1, 0))
        corner = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        self._place = (slice(None), *corner)
        self._keep = ((high - low) / 255)[corner].to(device)
        self._add = low[corner].to(device)

    def paint_(self, pictures: Tensor) -> None:
        """Paint [frames, height, width, 3] uint8, in place."""
        corner = pictures[self._place]
        corner.copy_((corner * self._keep + self._add + 0.5).floor())


def finish_for(avatar: VExpressAvatar, options: StreamOptions) -> Finish:
    """How frames of `avatar` are finished for a visitor who wants `options`."""
    side, like, backdrop = avatar.anchor.shape[-1] * LATENT_PIXELS, avatar.anchor, avatar.backdrop
    if backdrop is None:
        return SquareFinish(Badge.of(side, like, painted=options.badge), options.planes)
    height, width, _ = backdrop.picture.shape
    stamp = Stamp(height, width, like.device) if options.badge else None
    return WholeFinish(Badge.of(side, like, painted=False), options.planes, backdrop, stamp)
