"""A recogniser like the one that phones are learned from, drawn by chance, and its file."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.float32]]


def recogniser(seed: int = 0) -> Arrays:
    """Its attention finds nothing and its taps see their own step only: no context at all."""
    chance = np.random.default_rng(seed)

    def drawn(*shape: int) -> NDArray[np.float32]:
        return np.asarray(chance.normal(0, 0.1, shape), np.float32)

    turn = 2 * np.pi * np.outer(np.arange(201), np.arange(400)) / 400
    window = np.hanning(401)[:-1]
    made: Arrays = {
        "mel_fb": np.abs(drawn(201, 80)),
        "stft_real_kernel": np.asarray(np.cos(turn) * window, np.float32)[:, None],
        "stft_imag_kernel": np.asarray(np.sin(turn) * window, np.float32)[:, None],
        "onnx::Conv_801": drawn(144, 80, 3),
        "onnx::Conv_802": drawn(144),
    }
    for block, (node, taps) in enumerate(((829, 804), (838, 807))):
        name = f"acoustic_model.model.blocks.{block}."
        kernel = np.zeros((144, 1, 31), np.float32)
        kernel[:, 0, 15] = drawn(144)
        ask = drawn(144, 432)
        ask[:, 288:] = 0
        made |= {f"onnx::Conv_{taps}": kernel, f"onnx::Conv_{taps + 1}": drawn(144)}
        sizes = {0: (144, 576), 1: (576, 144), 6: (144, 144), 7: (144, 576), 8: (576, 144)}
        made |= {f"onnx::MatMul_{node + number}": drawn(*size) for number, size in sizes.items()}
        made[f"onnx::MatMul_{node + 2}"] = ask
        made |= {
            f"{name}attn.in_proj_bias": np.zeros(432, np.float32),
            f"{name}attn.out_proj.bias": drawn(144),
            f"{name}conv.pointwise1.weight": drawn(288, 144, 1),
            f"{name}conv.pointwise1.bias": drawn(288),
            f"{name}conv.pointwise2.weight": drawn(144, 144, 1),
            f"{name}conv.pointwise2.bias": drawn(144),
        }
        for feed in ("ffn1", "ffn2"):
            made |= {f"{name}{feed}.fc1.bias": drawn(576), f"{name}{feed}.fc2.bias": drawn(144)}
        for norm in ("ffn1.norm", "ffn2.norm", "attn_norm", "conv.norm", "norm"):
            made |= {f"{name}{norm}.weight": 1 + drawn(144), f"{name}{norm}.bias": drawn(144)}
    return made


def write(arrays: Arrays, file: Path) -> None:
    """As the package keeps them."""
    heads, body = b"", b""
    for name, array in arrays.items():
        heads += struct.pack("<H", len(name)) + name.encode() + bytes([0, array.ndim])
        heads += struct.pack(f"<{array.ndim}IQQ", *array.shape, len(body), array.nbytes)
        body += array.astype("<f4").tobytes()
    file.write_bytes(b"HAMAPK\x01\x02" + struct.pack("<I", len(arrays)) + heads + body)
