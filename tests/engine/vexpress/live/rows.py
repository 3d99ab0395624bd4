"""A speech encoder and a projection that can be followed by hand."""

from torch import Tensor


def count_rows(normal: Tensor) -> Tensor:
    """Like the published encoder: a row every 320 samples that sees 400 of them; their mean."""
    return normal.unfold(0, 400, 320).mean(dim=1)[None, :, None]


def keep(windows: Tensor) -> Tensor:
    """The five frames' rows as they are."""
    return windows.reshape(len(windows), 10, 1)
