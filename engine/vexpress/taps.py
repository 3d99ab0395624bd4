"""Watch what flows between the blocks of a denoising UNet, to find where two networks part."""

from types import TracebackType
from typing import Any, Self

from torch import Tensor, nn

from engine.vexpress.blocks import unfold_frames
from engine.vexpress.denoiser import DenoisingUNet


class Taps:
    """While open, keeps the newest time embedding, input and output of every block.

    For checking only: it hangs hooks on the network and takes them off again.
    """

    def __init__(self, network: DenoisingUNet, frames: int) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._frames = frames
        backbone = network.backbone
        self._watched: dict[str, nn.Module] = {"mid_block": backbone.mid_block}
        for index, block in enumerate(backbone.down_blocks):
            self._watched[f"down_blocks.{index}"] = block
        for index, block in enumerate(backbone.up_blocks):
            self._watched[f"up_blocks.{index}"] = block
        self._time_embedding = network.time_embedding
        self._hooks: list[Any] = []

    def __enter__(self) -> Self:
        for name, module in self._watched.items():
            self._hooks.append(module.register_forward_hook(self._keeper(name)))
        self._hooks.append(self._time_embedding.register_forward_hook(self._keep_time))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def _keeper(self, name: str) -> Any:
        def keep(_module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            result = output[0] if isinstance(output, tuple) else output
            self.tensors[f"tap/{name}"] = unfold_frames(result, self._frames)
            if name == "down_blocks.0":
                self.tensors["tap/down_blocks_input"] = unfold_frames(inputs[0], self._frames)

        return keep

    def _keep_time(self, _module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> None:
        self.tensors["tap/time_emb"] = output[:: self._frames]  # one for all frames of an item
