"""A portrait prepared for the model: what it looks like to every layer, once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from engine.api import BadPictureError, Framing, Picture, PortraitOptions
from engine.portrait.framing import Framed, frame_portrait
from engine.portrait.geometry import Canonical, Posed, PoseSolver
from engine.portrait.landmarks import FaceLandmarker
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.guider import VKpsGuider
from engine.vexpress.images import frames_tensor, portrait_tensor
from engine.vexpress.keypoints import points_from_landmarks
from engine.vexpress.kps import Points, draw_track
from engine.vexpress.live.backdrop import Backdrop
from engine.vexpress.live.network import flatten_keys, in_slots
from engine.vexpress.live.whole import frame_whole
from engine.vexpress.pipeline import look
from engine.vexpress.reference_net import ReferenceNet
from engine.vexpress.solid_face import SolidFace
from engine.vexpress.vae import Vae

_ID_CHARACTERS = 24
_TYPICAL_FACE = ((0.4, 0.4), (0.6, 0.4), (0.5, 0.52))  # eyes and nose, in picture sides
_TYPICAL_DISTANCE_CM = 40.0


@dataclass(frozen=True, slots=True)
class VExpressAvatar:
    """A prepared portrait. Immutable, shared by every stream that shows it."""

    avatar_id: str
    still: Picture = field(repr=False)  # [height, width, 3], the whole picture if that is shown
    points: Points = field(repr=False)  # its own face points [3, 2], in pixels of the still
    face: SolidFace = field(repr=False)  # the same in space, in the square that is generated
    anchor: Tensor = field(repr=False)  # latents of what is generated [1, 4, 1, h, w] float32
    keys: Mapping[str, Tensor] = field(repr=False)  # of every layer, as runners take them
    kps: Tensor = field(repr=False)  # features of its own face points [1, channels, 1, h, w]
    backdrop: Backdrop | None = field(default=None, repr=False)  # around what is generated

    def inward(self, points: Points) -> Points:
        """Places in the still [..., 2] -> places in the square that is generated."""
        return points if self.backdrop is None else self.backdrop.square.inward(points)


@dataclass(frozen=True, slots=True)
class AvatarNetworks:
    """The networks that a portrait goes through."""

    vae: Vae
    reference_net: ReferenceNet
    guider: VKpsGuider
    unet: DenoisingUNet


class AvatarMaker:
    """Finds the face, frames it and looks at it. Not for use by two threads at once."""

    def __init__(self, networks: AvatarNetworks, size: int, slots: int, label: str) -> None:
        self.networks = networks
        self._size, self._slots, self._label = size, slots, label
        self._landmarker, self._canonical = FaceLandmarker(), Canonical.load()

    def prepare(self, picture: Picture, options: PortraitOptions) -> VExpressAvatar:
        """Raises `BadPictureError`, also for a size that nothing was captured for."""
        if options.size != self._size:
            raise BadPictureError(
                f"size {options.size}: {self._label} was captured for {self._size}, "
                "the side of the square that is generated, whatever is shown around it"
            )
        if options.height is not None or not options.background.is_kept:
            raise BadPictureError(
                f"size {options.size}x{options.height or options.size}, background "
                f"{options.background.name}: V-Express generates squares with the background of"
                " the picture, expected one number and keep"
            )
        solver = PoseSolver(self._canonical)
        name = _name(picture, options.framing, self._label)
        if options.framing is Framing.CROP:
            framed = frame_portrait(picture, options, self._landmarker, solver)
            return self.look_at(
                framed.still, self._solid(points_from_landmarks(framed.face.points), framed), name
            )
        whole = frame_whole(picture, self._size, self._landmarker, solver)
        points = whole.square.outward(points_from_landmarks(whole.framed.face.points))
        # Rounded on the way out, so that the same points give the same drawing on the way in.
        solid = self._solid(whole.square.inward(points), whole.framed)
        inner = self.look_at(whole.framed.still, solid, name)
        backdrop = Backdrop.of(whole, inner.anchor.device)
        return replace(inner, still=backdrop.at_rest(whole), points=points, backdrop=backdrop)

    @torch.inference_mode()
    def look_at(self, still: Picture, face: SolidFace, name: str) -> VExpressAvatar:
        """Prepare a picture that is framed already, with the face that is in it."""
        networks, side = self.networks, self._size
        latents = networks.vae.encode(portrait_tensor(still, side, side, swapped=False))
        keys = networks.unet.project_reference(look(networks.reference_net, latents))
        return VExpressAvatar(
            avatar_id=name,
            still=still,
            points=face.own,
            face=face,
            anchor=latents.float()[:, :, None].contiguous(),
            keys=flatten_keys(in_slots((keys,), self._slots)),
            kps=self.guide(face.own[None]),
        )

    def guide(self, track: Points) -> Tensor:
        """Features [1, channels, frames, h, w] of face points [frames, 3, 2] in the square."""
        drawn = frames_tensor(draw_track(track, self._size, self._size))
        weight = self.networks.guider.conv_in.weight
        features: Tensor = self.networks.guider(drawn.to(weight.device, weight.dtype))
        return features

    def blank(self) -> tuple[Picture, SolidFace]:
        """A grey picture of the right size, and a face in it."""
        side = self._size
        pose = np.eye(4)
        pose[2, 3] = -_TYPICAL_DISTANCE_CM
        own = np.array(_TYPICAL_FACE, np.float32) * side
        face = SolidFace.of(own, Posed(pose, self._canonical.points), side, side)
        return np.full((side, side, 3), 127, np.uint8), face

    def _solid(self, own: Points, framed: Framed) -> SolidFace:
        return SolidFace.of(own, framed.posed, self._size, self._size)


def _name(picture: Picture, framing: Framing, label: str) -> str:
    """Equal pictures, framings and presets give equal names."""
    digest = hashlib.sha256(f"vexpress {label} {framing} {picture.shape}".encode())
    digest.update(np.ascontiguousarray(picture).tobytes())
    return digest.hexdigest()[:_ID_CHARACTERS]
