"""The shape basis: how the whole face follows each shape channel.

    python -m engine.training.basis --corpus FOLDER --out engine/weights/face_basis.safetensors

Ridge regression of pose-free displacements on the ten shape channels over the `ship` clips, every
identity weighted by the root of its frames, mirrored for symmetry. Because each channel is a linear
measure of the mesh, moving one channel of the basis moves its own measure by one and no other.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from safetensors.numpy import save_file

from engine.portrait.channels import SHAPE_CHANNELS, Channel, measure_shape, rest_mesh
from engine.portrait.geometry import Canonical, Doubles
from engine.training.corpus import read_meshes

_MIRROR = np.array([-1.0, 1.0, 1.0])
_NOSE_TIP, _EYE_LINE = 1, 168  # mouth channels fade out between them, brows fade in


def mirror_pairs(canonical: Canonical) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """For each point the point at its mirror image."""
    points = canonical.points
    gaps = np.linalg.norm(points[:, None] * _MIRROR - points[None], axis=-1)
    return np.asarray(gaps.argmin(1))


def fit_basis(people: list[Doubles], canonical: Canonical) -> Doubles:
    """The basis [10, 468, 3] from each person's pose-free meshes [frames, 468, 3]."""
    pairs = mirror_pairs(canonical)
    moments = np.zeros((SHAPE_CHANNELS, SHAPE_CHANNELS))
    products = np.zeros((SHAPE_CHANNELS, canonical.points.size))
    for meshes in people:
        rest = rest_mesh(meshes)
        moved = meshes - rest
        channels = measure_shape(meshes) - measure_shape(rest)
        mirrored = channels.copy()
        mirrored[:, Channel.MOUTH_LEFT] *= -1
        weight = 1 / np.sqrt(len(meshes))
        for inputs, outputs in ((channels, moved), (mirrored, moved[:, pairs] * _MIRROR)):
            moments += weight * inputs.T @ inputs
            products += weight * inputs.T @ outputs.reshape(len(outputs), -1)
    ridge = 1e-6 * np.trace(moments) / SHAPE_CHANNELS * np.eye(SHAPE_CHANNELS)
    basis = np.linalg.solve(moments + ridge, products).reshape(SHAPE_CHANNELS, -1, 3)
    return _keep_to_their_part(basis, canonical)


def _keep_to_their_part(basis: Doubles, canonical: Canonical) -> Doubles:
    """Mouth channels leave the forehead alone, brows the mouth: what is there is pose noise."""
    y = canonical.points[:, 1]
    upper = np.clip((y - y[_NOSE_TIP]) / (y[_EYE_LINE] - y[_NOSE_TIP]), 0, 1)
    upper = upper * upper * (3 - 2 * upper)
    kept = basis * (1 - upper)[None, :, None]
    kept[Channel.BROWS_UP] = basis[Channel.BROWS_UP] * upper[:, None]
    return np.asarray(kept)


def _main(
    corpus: Annotated[Path, typer.Option(help="Corpus folder with index.json.")],
    out: Annotated[Path, typer.Option(help="Where to write the basis.")],
) -> None:
    """Fit the basis to the ship clips of a corpus."""
    canonical = Canonical.load()
    basis = fit_basis(list(read_meshes(corpus, "ship").values()), canonical)
    partial = out.with_suffix(".part")
    save_file({"shape_basis": basis.astype(np.float32)}, partial)
    partial.replace(out)
    worst = np.abs(measure_shape(basis) - np.eye(SHAPE_CHANNELS)).max()
    print(f"{out}: {basis.shape}, own measure off by at most {worst:.1e}")


if __name__ == "__main__":
    typer.run(_main)
