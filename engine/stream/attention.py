"""Attention by one of several libraries. All give the same numbers up to rounding."""

import importlib

from torch import Tensor
from torch.nn import functional

from engine.stream.backends import AttentionKind, BackendUnavailableError


def attend(
    query: Tensor, keys: Tensor, values: Tensor, kind: AttentionKind = AttentionKind.SDPA
) -> Tensor:
    """Attention without a mask; all tensors are [groups, heads, tokens, head size].

    A `kind` that is not installed raises `ImportError`: ask `require_attention` first.
    """
    if kind == AttentionKind.SDPA:
        return functional.scaled_dot_product_attention(query, keys, values)
    return _attend_by_xformers(query, keys, values)


def require_attention(kind: AttentionKind) -> None:
    """Raise `BackendUnavailableError` unless `kind` can be imported."""
    if kind == AttentionKind.XFORMERS:
        try:
            importlib.import_module("xformers.ops")
        except (ImportError, OSError) as error:  # the latter: built for another PyTorch
            raise BackendUnavailableError(
                f"attention {str(kind)!r} is not available: {error}"
            ) from error


def _attend_by_xformers(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Tokens stand before heads in xformers."""
    from xformers import ops  # noqa: PLC0415  optional; torch.compile follows it like this

    mixed: Tensor = ops.memory_efficient_attention(
        query.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)
    )
    return mixed.transpose(1, 2)
