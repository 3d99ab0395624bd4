"""Golden runners of the stages and of whole clips; `PIPELINE_KINDS` names them."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from engine.vexpress.audio_frontend import load_speech_encoder
from engine.vexpress.check_networks import golden_weights, unet_config
from engine.vexpress.check_stages import STAGE_KINDS, golden_scheduler
from engine.vexpress.checkpoints import (
    load_audio_projection,
    load_denoising_unet,
    load_guider,
    load_reference_net,
)
from engine.vexpress.config import AudioProjectionConfig, GuiderConfig
from engine.vexpress.goldens import (
    DOUBLE_TOLERANCE,
    Comparison,
    Golden,
    GoldenError,
    Runner,
    compare,
    read_described,
)
from engine.vexpress.pipeline import ClipInputs, Manner, decode, encode_portrait, prepare
from engine.vexpress.sampling import ClipSampler, Sampling
from engine.vexpress.slots import Networks, Slot
from engine.vexpress.transformer import AttentionWeights
from engine.vexpress.vae import load_vae
from engine.vexpress.windows import WindowSize

PIPELINE_TOLERANCE = 5e-5  # relative, float32: ten times what equal programs differ by

Case = Mapping[str, Any]


def check_clip(golden: Golden) -> Iterator[Comparison]:
    """A clip from portrait, sound and face points to pictures, step by step."""
    for case in golden.cases:
        name, dtype = case["name"], golden.dtype(case["name"])
        ours = golden_results(golden, case, golden_networks(golden, dtype), dtype)
        tolerance = DOUBLE_TOLERANCE if dtype == torch.float64 else PIPELINE_TOLERANCE
        for key, stored in golden.outputs(name).items():
            if key not in ours:
                raise GoldenError(f"{golden.path.name}: {key} is not known")
            yield compare(f"{name}/{key}", ours[key], stored, tolerance)


PIPELINE_KINDS: dict[str, Runner] = {**STAGE_KINDS, "pipeline": check_clip}


def golden_networks(golden: Golden, dtype: torch.dtype) -> Networks:
    """The networks that belong to a golden's configuration."""
    config, path = golden.meta["config"], partial(golden_weights, golden)
    unet = unet_config(path("denoising_unet"))
    guider = GuiderConfig.from_mapping(read_described(path("v_kps_guider"))[0])
    projection = AudioProjectionConfig.from_mapping(read_described(path("audio_projection"))[0])
    return Networks(
        vae=Slot(lambda: load_vae(golden.weights_path(f"tiny_vae_{config}"), dtype)),
        speech_encoder=Slot(
            lambda: load_speech_encoder(golden.weights_path(f"tiny_wav2vec2_{config}"), dtype)
        ),
        audio_projection=Slot(
            lambda: load_audio_projection(projection, path("audio_projection"), dtype)
        ),
        guider=Slot(lambda: load_guider(guider, path("v_kps_guider"), dtype)),
        reference_net=Slot(lambda: load_reference_net(unet, path("reference_net"), dtype)),
        denoising_unet=Slot(
            lambda: load_denoising_unet(unet, path("denoising_unet"), path("motion_module"), dtype)
        ),
    )


def golden_inputs(golden: Golden, case: Case, dtype: torch.dtype) -> ClipInputs:
    """What a case's clip is made of."""
    inputs = golden.inputs(case["name"])
    return ClipInputs(
        portrait=inputs["reference_image"].numpy(),
        speech=inputs["audio_waveform"].to(dtype),
        track=inputs["kps"].numpy(),
        height=case["height"],
        width=case["width"],
    )


def golden_sampling(case: Case) -> Sampling:
    """How a case is sampled."""
    return Sampling(
        steps=case["num_inference_steps"],
        guidance_scale=case["guidance_scale"],
        window=WindowSize(case["context_frames"], case["context_overlap"]),
        weights=AttentionWeights(
            case["reference_attention_weight"], case["audio_attention_weight"]
        ),
        folded=True,
    )


def golden_results(
    golden: Golden, case: Case, networks: Networks, dtype: torch.dtype
) -> dict[str, Tensor]:
    """Everything that may be stored of a case, by its stored name."""
    inputs = golden_inputs(golden, case, dtype)
    stored = golden.outputs(case["name"])
    # Stored portraits already have the clip's size; the swap happens before.
    manner = Manner(padding_frames=case["num_pad_audio_frames"])
    conditions = prepare(networks, inputs, manner, lambda *_: None)
    with networks.vae.use() as vae, networks.denoising_unet.use() as unet:
        ours = {
            "stage/reference_latents": encode_portrait(vae, inputs, manner),
            "stage/kps_features_cond": conditions.kps_features,
            "stage/audio_embeddings_cond": conditions.audio_tokens[None],
        }
        if (tokens := stored.get("stage/audio_embeddings_cond")) is not None:
            ours["stage/audio_embeddings_cond"] = conditions.audio_tokens[None, : tokens.shape[1]]
        sampler = ClipSampler(
            unet, golden_scheduler(golden.meta), conditions, golden_sampling(case)
        )
        steps = list(sampler.run(golden.inputs(case["name"])["init_noise"].to(dtype)))
        ours |= {f"latents_after_step/{index}": step for index, step in enumerate(steps)}
        if "video_frame_means" in stored or "video_first_frames" in stored:
            ours |= _video(list(decode(vae, steps[-1], 1)), case["store_video"])
    return ours


def _video(frames: list[Tensor], first: int) -> dict[str, Tensor]:
    video = torch.stack(frames, dim=1)
    return {"video_first_frames": video[None, :, :first], "video_frame_means": video.mean((2, 3))}
