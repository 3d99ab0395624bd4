"""Golden runners of training: a sample cut from a clip, and a step with all its gradients."""

from collections.abc import Iterator, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.vexpress import clip_sample
from engine.vexpress.check_networks import golden_weights, unet_config
from engine.vexpress.check_stages import golden_scheduler
from engine.vexpress.checkpoints import (
    load_audio_projection,
    load_denoising_unet,
    load_guider,
    load_reference_net,
)
from engine.vexpress.config import AudioProjectionConfig, GuiderConfig
from engine.vexpress.goldens import (
    NETWORK_TOLERANCE,
    Comparison,
    Golden,
    Runner,
    compare,
    compare_exactly,
    read_described,
)
from engine.vexpress.key_map import KeyMap, NetworkKind
from engine.vexpress.objective import (
    Batch,
    Dropout,
    Learners,
    Networks,
    loss,
    noise_level_weights,
    predict_velocity,
    set_learners,
    signal_to_noise,
)
from engine.vexpress.scheduler import Scheduler

GRADIENTS = "grad_norm/"
GRADIENT_TOLERANCE = 1e-4  # sums of many small float32 products, in any order
FROZEN, UNREACHED = -1.0, -2.0  # what a golden stores in place of a gradient's norm


def check_training(golden: Golden) -> Iterator[Comparison]:
    """Every case is one step from the same inputs with other switches."""
    networks, scheduler = _networks(golden), golden_scheduler(golden.meta)
    shared = golden.section("in")
    batch = Batch(
        latents=shared["latents"],
        noise=shared["noise"],
        timesteps=shared["timesteps"],
        reference_latents=shared["reference_image_latents"],
        audio_windows=shared["audio_frame_embeddings"],
        kps_images=shared["kps_images"],
        lip_masks=shared["lip_masks"],
    )
    for case in golden.cases:
        ours = _step(networks, batch, scheduler, case)
        for name, stored in golden.outputs(case["name"]).items():
            tolerance = GRADIENT_TOLERANCE if name.startswith(GRADIENTS) else NETWORK_TOLERANCE
            yield compare(f"{case['name']}/{name}", ours[name], stored, tolerance)


def check_dataset(golden: Golden) -> Iterator[Comparison]:
    """Training samples cut from clips, exact in every value."""
    for case in golden.cases:
        name = case["name"]
        ours = _sample(golden.inputs(name), case)
        for output, stored in golden.outputs(name).items():
            yield compare_exactly(f"{name}/{output}", ours[output], stored)


TRAINING_KINDS: dict[str, Runner] = {"training": check_training, "dataset": check_dataset}


def _sample(inputs: Mapping[str, Tensor], case: Mapping[str, Any]) -> dict[str, Tensor]:
    size: tuple[int, int] = (inputs["frames"].shape[2], inputs["frames"].shape[3])
    box = clip_sample.draw_box(*size, torch.Generator().manual_seed(case["rng_seed"]))
    height, width = case["image_size"]
    cutting = clip_sample.Cutting(box=box, height=height, width=width, flip=case["flip"])
    frames = list(inputs["frames"].permute(0, 2, 3, 1).numpy())
    faces = [clip_sample.face_corners(bounds) for bounds in inputs["bbox"].numpy()]
    lips = [clip_sample.lip_corners(points) for points in inputs["landmark_2d_106"].numpy()]
    return {
        "crop_top_left_h_w": torch.tensor([box.top, box.left, box.height, box.width]),
        "face_mask_box_y0y1x0x1": torch.tensor([astuple(corners) for corners in faces]),
        "lip_mask_box_y0y1x0x1": torch.tensor([astuple(corners) for corners in lips]),
        "face_masks": clip_sample.masks(faces, size, cutting),
        "lip_masks": clip_sample.masks(lips, size, cutting),
        "kps_images": clip_sample.drawings(inputs["kps5"][:, :3].numpy(), size, cutting),
        "reference_image": clip_sample.pictures(frames[:1], cutting)[:, 0],
        "target_images": clip_sample.pictures(frames, cutting),
        "audio_frame_embeddings": clip_sample.speech_windows(
            inputs["audio_embeddings"], case["video_len"], case["frame_ids"]
        ),
    }


def _step(
    networks: Networks, batch: Batch, scheduler: Scheduler, case: Mapping[str, Any]
) -> dict[str, Tensor]:
    flags = case["module_training"]
    learners = Learners(
        reference_net=flags["reference_net"],
        denoising_unet=flags["denoising_unet"],
        guider=flags["v_kps_guider"],
        audio_projection=flags["audio_projection"],
        motion_modules=flags["motion_module"],
    )
    dropout = Dropout(
        unconditional=case["do_unconditional_forward"],
        kps_rate=case["kps_drop_rate"],
        reference_rate=case["reference_drop_rate"],
    )
    set_learners(networks, learners)
    generator = torch.Generator().manual_seed(case.get("rng_seed", 0))
    with torch.set_grad_enabled(case["grads"]):
        velocity = predict_velocity(networks, batch, scheduler, dropout, generator)
        snr = signal_to_noise(scheduler, batch.timesteps)
        weights = noise_level_weights(snr, case["snr_gamma"])
        target = scheduler.velocity(batch.latents, batch.noise, batch.timesteps)
        error = loss(velocity, target, weights, batch.lip_masks, case["lip_loss_weight"])
    if case["grads"]:
        error.backward()  # type: ignore[no-untyped-call]
    return {
        "noisy_latents": scheduler.add_noise(batch.latents, batch.noise, batch.timesteps),
        "target": target,
        "model_pred": velocity,
        "snr": snr,
        "mse_loss_weights": weights,
        "loss": error.reshape(1),
        **_take_gradients(networks, case.get("grad_names", {})),
    }


def _take_gradients(networks: Networks, names: Mapping[str, list[str]]) -> dict[str, Tensor]:
    """Norms of all gradients in the order of the published `names`; gradients are removed."""
    by_kind: Mapping[NetworkKind, nn.Module] = {
        NetworkKind.REFERENCE_NET: networks.reference_net,
        NetworkKind.DENOISING_UNET: networks.denoising_unet,
        NetworkKind.V_KPS_GUIDER: networks.guider,
        NetworkKind.AUDIO_PROJECTION: networks.audio_projection,
    }
    norms = {}
    for kind, published in names.items():
        network = by_kind[NetworkKind(kind)]
        own = KeyMap(NetworkKind(kind), network).own_names
        values = [_norm(network.get_parameter(own[name])) for name in published]
        norms[GRADIENTS + kind] = torch.tensor(values, dtype=torch.float64)
        network.zero_grad(set_to_none=True)
    return norms


def _norm(parameter: nn.Parameter) -> float:
    if not parameter.requires_grad:
        return FROZEN
    return UNREACHED if parameter.grad is None else parameter.grad.double().norm().item()


def _networks(golden: Golden) -> Networks:
    paths: dict[NetworkKind, Path] = {kind: golden_weights(golden, kind) for kind in NetworkKind}
    unet_path, motion_path = (
        paths[NetworkKind.DENOISING_UNET],
        golden_weights(golden, "motion_module"),
    )
    config = unet_config(unet_path)
    guider_path = paths[NetworkKind.V_KPS_GUIDER]
    audio_path = paths[NetworkKind.AUDIO_PROJECTION]
    guider_config = GuiderConfig.from_mapping(read_described(guider_path)[0])
    audio_config = AudioProjectionConfig.from_mapping(read_described(audio_path)[0])
    return Networks(
        load_reference_net(config, paths[NetworkKind.REFERENCE_NET]),
        load_denoising_unet(config, unet_path, motion_path),
        load_guider(guider_config, guider_path),
        load_audio_projection(audio_config, audio_path),
    )
