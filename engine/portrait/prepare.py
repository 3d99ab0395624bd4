"""A picture becomes a scene: found, checked, framed, rigged and painted out, once."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from engine.api import Picture, PortraitOptions
from engine.portrait.backdrop import lay
from engine.portrait.framing import frame_portrait
from engine.portrait.geometry import Canonical, PoseSolver
from engine.portrait.interior import paint_eye, paint_mouth
from engine.portrait.landmarks import FaceLandmarker
from engine.portrait.matte import person_matte
from engine.portrait.mouth_painter import MouthLook
from engine.portrait.person import PersonFinder
from engine.portrait.renderer import Scene
from engine.portrait.rig import Anatomy, build_rig
from engine.portrait.topology import EYES

BASIS_PATH = Path(__file__).parents[1] / "weights" / "face_basis.safetensors"


@dataclass(frozen=True)
class Preparer:
    """The models that preparation needs. Not for use by two threads at once."""

    landmarker: FaceLandmarker
    finder: PersonFinder
    canonical: Canonical
    basis: np.ndarray[tuple[int, int, int], np.dtype[np.float64]]  # [10, 468, 3]

    @classmethod
    def load(cls) -> "Preparer":
        """Read the shipped models."""
        basis = load_file(BASIS_PATH)["shape_basis"].astype(np.float64)
        return cls(FaceLandmarker(), PersonFinder(), Canonical.load(), basis)

    def scene(self, picture: Picture, options: PortraitOptions) -> Scene:
        """Prepare `picture`. Raises `BadPictureError`."""
        framed = frame_portrait(picture, options, self.landmarker, PoseSolver(self.canonical))
        rig = build_rig(framed, self.canonical, self.basis)
        matte = person_matte(framed.still, framed.face, self.finder)
        layers = lay(framed.still, matte, options.background)
        box = rig.head.box
        anatomy = Anatomy.measure(framed, self.canonical)
        eyes = [
            paint_eye(framed.still, aperture, eye, anatomy)
            for aperture, eye in zip(rig.eyes, EYES, strict=True)
        ]
        return Scene(
            still=layers.still,
            cutout=np.ascontiguousarray(layers.cutout[box.rows, box.columns]),
            plate=np.ascontiguousarray(layers.plate[box.rows, box.columns]),
            rig=rig,
            mouth=paint_mouth(framed.still, rig.mouth, anatomy),
            eyes=(eyes[0], eyes[1]),
            look=MouthLook.of(framed.still, anatomy),
        )
