"""NumPy arrays out of pickles that strangers made, without giving the pickle to NumPy.

Its arrays and number types take their state from a pickle unchecked: a damaged file can end the
process. So their places are taken by two classes that check what they are told.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOATS = ("f2", "f4", "f8")
# Where NumPy's arrays pickle themselves to, by the names that its versions 1 and 2 write.
_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_ORDERS = ("<", ">", "=", "|")


class StoredType:
    """What a pickle says of a number type."""

    def __init__(self, name: str, *_: object) -> None:
        if name not in FLOATS:
            raise ValueError(f"numbers of type {name!r}")
        self.name = name

    def __setstate__(self, state: Any) -> None:
        if state[1] not in _ORDERS:
            raise ValueError(f"an order of bytes {state[1]!r}")
        self.name = state[1] + self.name[-2:]


class StoredArray:
    """What a pickle says of an array."""

    values: NDArray[Any]

    def __setstate__(self, state: Any) -> None:
        _version, shape, kind, is_fortran, data = state
        if not isinstance(kind, StoredType) or not isinstance(data, bytes):
            raise TypeError("an array of another kind")
        sizes = [int(size) for size in shape]
        dtype = np.dtype(kind.name)
        if min(sizes, default=0) < 0 or math.prod(sizes) * dtype.itemsize != len(data):
            raise ValueError("an array of another size")
        flat = np.frombuffer(data, dtype)
        self.values = flat.reshape(sizes, order="F" if is_fortran else "C")


def allowed() -> list[Any]:
    """What a pickle of arrays may name, besides what PyTorch allows by itself."""
    rebuild = [(_reconstruct, f"{module}._reconstruct") for module in _MODULES]
    return [*rebuild, (StoredArray, "numpy.ndarray"), (StoredType, "numpy.dtype")]


def as_arrays(content: Any) -> Any:
    """`content` with arrays in the place of what stands for them, also in a list or tuple."""
    if isinstance(content, StoredArray):
        return content.values
    if isinstance(content, list | tuple):
        return [item.values if isinstance(item, StoredArray) else item for item in content]
    return content


def _reconstruct(*_: object) -> StoredArray:
    return StoredArray()
