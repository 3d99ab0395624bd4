"""From a folder of weights to a live engine."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import torch

from engine.stream.backends import AttentionKind, Backend, choose_attention
from engine.stream.graph_pool import GraphPool
from engine.stream.machine import this_machine
from engine.stream.runner_settings import RunnerSettings, RunReport
from engine.stream.solver import Solver
from engine.vexpress.audio_frontend import load_speech_encoder
from engine.vexpress.blocks import use_attention
from engine.vexpress.checkpoints import (
    load_audio_projection,
    load_denoising_unet,
    load_guider,
    load_reference_net,
)
from engine.vexpress.config import ModelConfig
from engine.vexpress.live.avatar import AvatarMaker, AvatarNetworks
from engine.vexpress.live.decoding import FrameDecoder
from engine.vexpress.live.engine import LiveModel, VExpressEngine
from engine.vexpress.live.network import Example, Seen, Settings, UNetRunners, attention_weights
from engine.vexpress.live.readiness import check_ready
from engine.vexpress.live.training_notes import TrainingNotes
from engine.vexpress.model_files import DEFAULT_FOLDER, TINY_VAE, ModelFiles
from engine.vexpress.presets import Decoder, Preset
from engine.vexpress.sampling import LATENT_CHANNELS
from engine.vexpress.scheduler import Scheduler
from engine.vexpress.transformer import AttentionWeights
from engine.vexpress.vae import TinyVae, Vae, load_tiny_vae, load_vae

log = logging.getLogger(__name__)
MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """How the model is loaded and run."""

    preset: Preset
    config: ModelConfig
    model_folder: Path = DEFAULT_FOLDER
    device: torch.device
    dtype: torch.dtype
    backend: str = Backend.AUTO
    attention: str = AttentionKind.SDPA
    keyframe_slots: int = 1
    forced: bool = False  # run weights in a way that they were not trained for
    weights: AttentionWeights = field(default_factory=lambda: AttentionWeights(0.95, 3.0))


def load_live_engine(settings: LiveSettings) -> VExpressEngine:
    """Read the weights and capture what the preset needs.

    Raises `CheckpointError` for files that are missing or wrong, `UntrainedError` for a preset
    that the weights were not trained for, and what `open_runner` raises.
    """
    folder, preset, dtype = settings.model_folder, settings.preset, settings.dtype
    files = ModelFiles.below(folder)
    check_ready(preset, folder, forced=settings.forced)
    notes = TrainingNotes.read(files.denoising_unet.parent)
    config, device = settings.config, settings.device
    networks = AvatarNetworks(
        vae=load_vae(files.vae, dtype).to(device),
        reference_net=load_reference_net(config.unet, files.reference_net, dtype, device),
        guider=load_guider(config.guider, files.v_kps_guider, dtype, device),
        unet=load_denoising_unet(
            config.unet, files.denoising_unet, files.motion_module, dtype, device
        ),
    )
    kind = AttentionKind(choose_attention(settings.attention, this_machine()).name)
    for network in (networks.reference_net, networks.unet):
        use_attention(network, kind)
    projection = load_audio_projection(
        config.audio_projection, files.audio_projection, dtype, device
    )
    sizes = config.audio_projection
    silence = torch.zeros(1, sizes.positions, sizes.in_channels, dtype=dtype, device=device)
    with torch.inference_mode():
        silent_tokens = projection(silence)
    avatars = AvatarMaker(networks, preset.size, settings.keyframe_slots, f"preset {preset.name}")
    how = _settings_for(settings)
    example = Example(_example(avatars, settings), silent_tokens)
    engine = VExpressEngine(
        LiveModel(
            preset=preset,
            solver=Solver(preset.ladder(Scheduler()), notes.renewal, device),
            makes=avatars,
            encoder=load_speech_encoder(files.audio_encoder, dtype).to(device),
            projection=projection,
            runners=UNetRunners(networks.unet, preset.schedule, example, how),
            decoder=_decoder(settings, networks.vae, how),
            silent_tokens=silent_tokens,
            weights=settings.weights,
        )
    )
    for runner in engine.runners:
        log.info("%s", describe(runner.report))
    return engine


def describe(report: RunReport) -> str:
    """One captured part in words: what runs it, why that, and what it took."""
    return (
        f"{report.label}: {report.used} ({report.reason}); "
        f"{report.warm_ups} warm-ups in {report.compile_s:.1f} s, "
        f"{report.captures} captures in {report.capture_s:.1f} s, "
        f"{report.static_bytes / MIB:.0f} MiB of fixed buffers"
    )


def _settings_for(settings: LiveSettings) -> Settings:
    """How each part is captured: all graphs of one engine share their memory."""
    pool = GraphPool()

    def make(part: str, *modules: torch.nn.Module) -> RunnerSettings:
        return RunnerSettings(
            label=f"preset {settings.preset.name}, {part}",
            backend=settings.backend,
            weights=modules,
            pool=pool,
        )

    return make


def _example(avatars: AvatarMaker, settings: LiveSettings) -> Seen:
    """What a visitor's frames would look at, of a grey picture with a face in its middle."""
    grey, face = avatars.blank()
    avatar = avatars.look_at(grey, face, "example")
    weights = attention_weights(settings.weights, avatar.kps)
    return Seen(("example", 0.0), avatar.keys, avatar.kps, weights)


def _decoder(settings: LiveSettings, vae: Vae, how: Settings) -> FrameDecoder:
    preset = settings.preset
    network: Vae | TinyVae = vae
    if preset.decoder is Decoder.TINY:
        folder = settings.model_folder / TINY_VAE
        network = load_tiny_vae(folder, settings.dtype).to(settings.device)
    shape = (preset.schedule.chunk_frames, LATENT_CHANNELS, preset.latent_side, preset.latent_side)
    example = torch.zeros(shape, dtype=settings.dtype, device=settings.device)
    return FrameDecoder(network.decode_signed, example, how(f"{preset.decoder} decoder", network))
