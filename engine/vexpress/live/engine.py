"""The V-Express engine, live: one model on one device, any number of visitors in turn."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.api import (
    Avatar,
    AvatarError,
    EngineFullError,
    Picture,
    PortraitOptions,
    StreamOptions,
)
from engine.portrait.geometry import Canonical, PoseSolver
from engine.portrait.landmarks import FaceLandmarker
from engine.portrait.watcher import CameraWatcher
from engine.stream.denoise import StreamingDenoiser, StreamPlan
from engine.stream.noise import FrameNoise
from engine.stream.runner import Runner
from engine.stream.solver import Solver
from engine.stream.window import Rows, Start, StreamWindow, WindowSpec
from engine.vexpress.audio_frontend import SpeechEncoder
from engine.vexpress.audio_projection import AudioProjection
from engine.vexpress.live.avatar import AvatarMaker, VExpressAvatar
from engine.vexpress.live.conditions import Places, Voice, VoiceAndPlaces
from engine.vexpress.live.decoding import FrameDecoder
from engine.vexpress.live.following import FollowingStream
from engine.vexpress.live.hearing import Hearing
from engine.vexpress.live.network import (
    AUDIO,
    KPS,
    Seen,
    SessionNetwork,
    UNetRunners,
    attention_weights,
)
from engine.vexpress.presets import Preset
from engine.vexpress.transformer import AttentionWeights


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveModel:
    """Everything that never changes once the engine is loaded."""

    preset: Preset
    solver: Solver
    makes: AvatarMaker
    encoder: SpeechEncoder
    projection: AudioProjection
    runners: UNetRunners
    decoder: FrameDecoder
    silent_tokens: Tensor  # [1, tokens, channels]: before the first frame nothing was said
    weights: AttentionWeights


class VExpressEngine:
    """An `Engine` of the published model, or of one of its architecture."""

    def __init__(self, model: LiveModel) -> None:
        self.model = model

    @property
    def runners(self) -> tuple[Runner, ...]:
        """All that was captured, for reports."""
        return (*self.model.runners.all, self.model.decoder.runner)

    def prepare(self, picture: Picture, options: PortraitOptions) -> VExpressAvatar:
        """Make an avatar of a picture [height, width, 3] uint8 RGB.

        Raises `BadPictureError`, and `EngineFullError` where the device has no room for it.
        """
        with _room():
            return self.model.makes.prepare(picture, options)

    def open(self, avatar: Avatar, options: StreamOptions) -> FollowingStream:
        """Start a stream of an avatar that this engine prepared.

        Raises `EngineFullError` where the device has no room for another visitor, and what
        `LedHead` raises for a script that asks for more than a head.
        """
        with _room():
            known = _ours(avatar)
            model = self.model
            places = Places(model.makes.guide, known, model.preset.schedule.chunk_frames)
            conditions = VoiceAndPlaces(self._voice(), places)
            denoiser = self._denoiser(known, options, {KPS: known.kps})
            return FollowingStream(conditions, denoiser, model.decoder, known, options)

    @staticmethod
    def watch() -> CameraWatcher:
        """Start to follow somebody before a camera."""
        return CameraWatcher(FaceLandmarker(), PoseSolver(Canonical.load()))

    def _voice(self) -> Voice:
        model = self.model
        chunk = model.preset.schedule.chunk_frames
        return Voice(Hearing(model.encoder.encode, model.projection, chunk))

    def _denoiser(
        self, avatar: VExpressAvatar, options: StreamOptions, places: Mapping[str, Tensor]
    ) -> StreamingDenoiser:
        """`places` are features of where the face is [1, channels, 1, h, w]."""
        model, preset = self.model, self.model.preset
        plan = StreamPlan(preset.schedule, model.solver, avatar.anchor, preset.fade_frames)
        seen = self.seen(avatar, options.expression_strength)
        network = SessionNetwork(model.runners, seen, preset.guidance_scale)
        return StreamingDenoiser(network, plan, self._window(avatar, options.seed, places))

    def seen(self, avatar: VExpressAvatar, strength: float) -> Seen:
        """What frames of `avatar` look at; `strength` scales the weight of the voice."""
        base = self.model.weights
        weights = AttentionWeights(base.reference, base.audio * strength)
        return Seen(
            token=(avatar.avatar_id, strength),
            keys=avatar.keys,
            kps=avatar.kps,
            weights=attention_weights(weights, avatar.kps),
        )

    def _window(
        self, avatar: VExpressAvatar, seed: int, places: Mapping[str, Tensor]
    ) -> StreamWindow:
        frames = self.model.preset.schedule.window_frames
        _, channels, _, *space = avatar.anchor.shape
        silent = self.model.silent_tokens
        spec = WindowSpec(
            frames=frames,
            channels=channels,
            space=tuple(space),
            conditions={
                AUDIO: Rows((frames, *silent.shape[1:])),
                **{name: _per_frame(one, frames) for name, one in places.items()},
            },
            dtype=silent.dtype,
            device=avatar.anchor.device,
        )
        noise = FrameNoise(seed, (channels, *space), self.model.preset.shared_noise)
        return StreamWindow(spec, noise, Start(avatar.anchor, {AUDIO: silent, **places}))


def _ours(avatar: Avatar) -> VExpressAvatar:
    if not isinstance(avatar, VExpressAvatar):
        raise AvatarError(f"expected an avatar of the V-Express engine, got {avatar!r}")
    return avatar


def _per_frame(one: Tensor, frames: int) -> Rows:
    """What is known of one frame [1, channels, 1, h, w], for each frame of a window."""
    batch, channels, _, *space = one.shape
    return Rows((batch, channels, frames, *space), axis=2)


@contextmanager
def _room() -> Iterator[None]:
    """Say it in our words if the device has no memory left."""
    try:
        with torch.no_grad():
            yield
    except torch.OutOfMemoryError as error:
        raise EngineFullError(
            "the device has no memory left for another visitor: try again later"
        ) from error
