"""Networks that are on the device only while they work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

import torch
from torch import nn

from engine.vexpress.audio_frontend import SpeechEncoder
from engine.vexpress.audio_projection import AudioProjection
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.guider import VKpsGuider
from engine.vexpress.reference_net import ReferenceNet
from engine.vexpress.vae import Vae

Network = TypeVar("Network", bound=nn.Module)


class AfterUse(StrEnum):
    """What becomes of a network between two uses."""

    STAYS = "stays"  # on the device: fastest
    MOVES_TO_CPU = "moves to cpu"  # the device holds one network at a time
    IS_DROPPED = "is dropped"  # and loaded again when needed again: least memory of any kind


class Slot(Generic[Network]):
    """One network, loaded at its first use."""

    def __init__(
        self,
        load: Callable[[], Network],
        device: torch.device | str = "cpu",
        after_use: AfterUse = AfterUse.STAYS,
    ) -> None:
        self._load = load
        self._device = torch.device(device)
        self._after_use = after_use
        self._network: Network | None = None

    @property
    def device(self) -> torch.device:
        """Where the network works."""
        return self._device

    @contextmanager
    def use(self) -> Iterator[Network]:
        """The network, on its device."""
        if self._network is None:
            self._network = self._load()
        self._network = self._network.to(self._device)
        try:
            yield self._network
        finally:
            self._put_away()

    def _put_away(self) -> None:
        if self._after_use is AfterUse.STAYS or self._network is None:
            return
        self._network = (
            self._network.to("cpu") if self._after_use is AfterUse.MOVES_TO_CPU else None
        )
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """All that a clip needs."""

    vae: Slot[Vae]
    speech_encoder: Slot[SpeechEncoder]
    audio_projection: Slot[AudioProjection]
    guider: Slot[VKpsGuider]
    reference_net: Slot[ReferenceNet]
    denoising_unet: Slot[DenoisingUNet]
