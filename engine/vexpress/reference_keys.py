"""What the ReferenceNet gives to the denoising UNet: per layer, once per portrait."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Self

import torch
from torch import Tensor

from engine.vexpress.blocks import Attention, KeysValues


class ReferenceFeatures(Mapping[str, Tensor]):
    """Published layer path (`down_blocks.0.attentions.1`) -> tokens [b, n, channels]."""

    def __init__(self, layers: Mapping[str, Tensor]) -> None:
        self._layers = MappingProxyType(dict(layers))

    def __getitem__(self, path: str) -> Tensor:
        return self._layers[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Self:
        """The same features elsewhere, or in another data type."""
        return type(self)({path: x.to(device=device, dtype=dtype) for path, x in self.items()})

    def zeros(self) -> Self:
        """Features of no portrait, for an unconditional pass."""
        return type(self)({path: torch.zeros_like(x) for path, x in self.items()})

    def with_unconditional(self) -> Self:
        """Twice the batch, zeros first: the order of classifier-free guidance."""
        zeros = self.zeros()
        return type(self)({path: torch.cat([zeros[path], x]) for path, x in self.items()})


class ReferenceKeys(Mapping[str, KeysValues]):
    """Published layer path -> keys and values [b, heads, n, head size] of that layer.

    They depend on the portrait and the weights alone, so they serve every step, window and frame.
    """

    def __init__(self, layers: Mapping[str, KeysValues]) -> None:
        self._layers = MappingProxyType(dict(layers))

    def __getitem__(self, path: str) -> KeysValues:
        return self._layers[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def with_unconditional(self) -> Self:
        """Twice the batch, zeros first. A value of zero is what zero features project to."""
        return type(self)(
            {
                path: KeysValues(*(torch.cat([torch.zeros_like(part), part]) for part in pair))
                for path, pair in self.items()
            }
        )


def project_reference(
    features: ReferenceFeatures, attentions: Mapping[str, Attention]
) -> ReferenceKeys:
    """Project the features of every layer once, each with its own layer's weights."""
    if features.keys() != attentions.keys():
        missing = sorted(attentions.keys() - features.keys())
        surplus = sorted(features.keys() - attentions.keys())
        raise ValueError(f"reference features: missing layers {missing}, surplus layers {surplus}")
    return ReferenceKeys(
        {path: attention.project(features[path]) for path, attention in attentions.items()}
    )
