"""Clips sampled along a front against clips sampled whole and against published latents."""

from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.vexpress.check_pipeline import (
    PIPELINE_TOLERANCE,
    Case,
    golden_inputs,
    golden_networks,
    golden_sampling,
)
from engine.vexpress.check_stages import golden_scheduler
from engine.vexpress.denoiser import DenoisingUNet
from engine.vexpress.drawn_noise import DrawnNoise
from engine.vexpress.exact_clip import ExactClip, check_streamable, count_calls, frames_in_flight
from engine.vexpress.goldens import Golden, read_golden
from engine.vexpress.pipeline import Manner, prepare
from engine.vexpress.sampling import (
    ClipConditions,
    ClipSampler,
    GuidedNetwork,
    Sampling,
    initial_noise,
)
from engine.vexpress.scheduler import Scheduler
from engine.vexpress.transformer import AttentionWeights
from engine.vexpress.windows import ClipError, WindowSize
from tests.engine.vexpress.tiny import TINY_UNET, make_inputs, randomise

SIDE = 4
WHOLE_TOLERANCE = 1e-5


class StoredNoise:
    """The noise of a clip that was drawn elsewhere [1, 4, frames, h, w]."""

    def __init__(self, noise: Tensor) -> None:
        self.noise = noise

    def fill(self, target: Tensor, first_frame: int) -> None:
        for place in range(target.shape[2]):
            frame = first_frame + place
            there = 0 <= frame < self.noise.shape[2]
            target[:, :, place] = self.noise[:, :, frame] if there else torch.nan


@pytest.fixture(scope="module")
def unet() -> DenoisingUNet:
    network = DenoisingUNet(TINY_UNET).eval()
    randomise(network)
    return network


def make_sampling(window: WindowSize, steps: int = 2, *, folded: bool = False) -> Sampling:
    return Sampling(
        steps=steps,
        guidance_scale=2.5,
        window=window,
        weights=AttentionWeights(0.9, 2.0),
        folded=folded,
    )


def make_conditions(frames: int) -> ClipConditions:
    inputs = make_inputs(TINY_UNET, (1, frames, SIDE, SIDE), seed=frames)
    return ClipConditions(inputs.reference, inputs.audio, inputs.kps_features)


def sample_whole(
    unet: DenoisingUNet, conditions: ClipConditions, noise: Tensor, sampling: Sampling
) -> Tensor:
    *_, last = ClipSampler(unet, Scheduler(), conditions, sampling).run(noise)
    return last


def stream(clip: ExactClip, conditions: ClipConditions, cuts: Iterable[int]) -> Tensor:
    """The latents of a clip whose conditions come in parts of so many frames, then one by one."""
    frames, begin = len(conditions.audio_tokens), 0
    came: list[tuple[int, Tensor]] = []
    for size in [*cuts, *[1] * frames]:
        if begin < frames:
            part = conditions.of(slice(begin, begin + size))
            came += [(each.first_frame, each.latents.clone()) for each in clip.push(part)]
        begin += size
    came += [(each.first_frame, each.latents.clone()) for each in clip.flush()]
    ends = [first + latents.shape[2] for first, latents in came]
    assert [first for first, _ in came] == [0, *ends[:-1]]
    return torch.cat([latents for _, latents in came], dim=2)


def difference(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    window=st.integers(1, 4),
    overlap=st.integers(0, 3),
    steps=st.integers(1, 3),
    frames=st.integers(1, 11),
    cuts=st.lists(st.integers(1, 9), max_size=5),
)
def test_a_streamed_clip_is_the_whole_clip(
    unet: DenoisingUNet, window: int, overlap: int, steps: int, frames: int, cuts: list[int]
) -> None:
    sampling = make_sampling(WindowSize(window, min(overlap, window - 1)), steps)
    conditions, noise = make_conditions(frames), initial_noise(frames, SIDE, SIDE, seed=1)
    network = GuidedNetwork(unet, conditions.reference, sampling)
    clip = ExactClip(network, Scheduler(), sampling, StoredNoise(noise), (SIDE, SIDE))
    whole = sample_whole(unet, conditions, noise, sampling)
    streamed = stream(clip, conditions, cuts)
    assert streamed.shape == whole.shape
    assert difference(streamed, whole) < WHOLE_TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("frames", [3, 4, 6, 10])
def test_folded_windows_are_streamed_where_they_are_whole(unet: DenoisingUNet, frames: int) -> None:
    sampling = make_sampling(WindowSize(4, 2), folded=True)
    check_streamable(sampling, frames)
    conditions, noise = make_conditions(frames), initial_noise(frames, SIDE, SIDE, seed=2)
    network = GuidedNetwork(unet, conditions.reference, sampling)
    clip = ExactClip(network, Scheduler(), sampling, StoredNoise(noise), (SIDE, SIDE))
    whole = sample_whole(unet, conditions, noise, sampling)
    assert difference(stream(clip, conditions, [frames]), whole) < WHOLE_TOLERANCE


def test_folded_windows_that_hold_frames_twice_are_refused() -> None:
    with pytest.raises(ClipError, match=r"a clip of 7 frames is not one of whole windows of 4"):
        check_streamable(make_sampling(WindowSize(4, 2), folded=True), 7)
    check_streamable(make_sampling(WindowSize(4, 2)), 7)


@pytest.mark.slow
def test_latents_take_the_same_memory_whatever_the_length(unet: DenoisingUNet) -> None:
    sampling = make_sampling(WindowSize(4, 2), steps=3)
    conditions = make_conditions(1)
    network = GuidedNetwork(unet, conditions.reference, sampling)
    part = conditions.of([0] * 2)
    held, came = [], 0
    clip = ExactClip(network, Scheduler(), sampling, DrawnNoise(400, SIDE, SIDE, 1), (SIDE, SIDE))
    for _ in range(20):
        came += sum(each.latents.shape[2] for each in clip.push(part))
        held.append(clip.held_frames)
    assert came > 20
    # One window, two more that wait for it on their ways down, and what is not a window yet.
    assert max(held) == frames_in_flight(sampling) == 4 + 2 * 2 + 2 * 2


@pytest.mark.slow
def test_a_frame_waits_for_a_window_less_than_there_are_steps(unet: DenoisingUNet) -> None:
    sampling = make_sampling(WindowSize(4, 1), steps=3)
    conditions, asked = make_conditions(40), list[int]()
    network = GuidedNetwork(unet, conditions.reference, sampling)
    noise = DrawnNoise(40, SIDE, SIDE, 1)
    clip = ExactClip(network, Scheduler(), sampling, noise, (SIDE, SIDE))
    for start in range(0, 39, 3):
        asked += [
            start + 3 - emitted.first_frame - emitted.latents.shape[2]
            for emitted in clip.push(conditions.of(slice(start, start + 3)))
        ]
    # In two parts of three frames comes a window of four; the next one shows that a clip goes on.
    assert set(asked) == {(3 - 1) * 3 + 2 * 3}


def test_calls_are_as_many_as_of_the_whole_clip() -> None:
    for frames in range(1, 30):
        sampling = make_sampling(WindowSize(5, 2), steps=3)
        assert count_calls(sampling, frames) == 3 * len(sampling.windows(frames))


@given(
    frames=st.integers(1, 60),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    seed=st.integers(0, 2**64 - 1),
    cuts=st.lists(st.integers(1, 20), min_size=1, max_size=6),
)
@settings(deadline=None)
def test_noise_in_parts_is_the_noise_at_once(
    frames: int, height: int, width: int, seed: int, cuts: list[int]
) -> None:
    whole, source = (
        initial_noise(frames, height, width, seed),
        DrawnNoise(frames, height, width, seed),
    )
    for _ in range(2):  # and once more from the beginning
        begin = 0
        while begin < frames:
            count = cuts[begin % len(cuts)]
            part = torch.full((1, 4, count, height, width), torch.nan)
            source.fill(part, begin)
            known = whole[:, :, begin : begin + count]
            assert torch.equal(part[:, :, : known.shape[2]], known)
            assert not part[:, :, known.shape[2] :].any()
            begin += count


def test_noise_of_full_sized_frames_is_the_noise_at_once() -> None:
    whole, source = initial_noise(30, 64, 63, 42), DrawnNoise(30, 64, 63, 42)
    part = torch.empty(1, 4, 20, 64, 63)
    source.fill(part, -15)
    assert torch.equal(part[:, :, 15:], whole[:, :, :5])
    source.fill(part, 5)
    assert torch.equal(part, whole[:, :, 5:25])
    with pytest.raises(ValueError, match="expected 25 or 0"):
        source.fill(part, 4)


def stream_golden(golden: Golden, case: Case, *cuts: int) -> tuple[Tensor, Tensor]:
    """Latents of a stored case, streamed and sampled whole."""
    dtype = torch.float32
    networks, manner = golden_networks(golden, dtype), Manner()
    inputs, sampling = golden_inputs(golden, case, dtype), golden_sampling(case)
    conditions = prepare(networks, inputs, manner, lambda *_: None)
    noise = golden.inputs(case["name"])["init_noise"].to(dtype)
    scheduler = golden_scheduler(golden.meta)
    with networks.denoising_unet.use() as network:
        guided = GuidedNetwork(network, conditions.reference, sampling)
        space = (noise.shape[3], noise.shape[4])
        clip = ExactClip(guided, scheduler, sampling, StoredNoise(noise), space)
        *_, whole = ClipSampler(network, scheduler, conditions, sampling).run(noise)
        return stream(clip, conditions, cuts), whole


STORED = [
    ("A", "overlap_2steps_rect"),
    ("A", "overlap_4steps"),
    ("C", "single_window_2steps"),
    ("C", "overlap_2steps"),
    ("C", "overlap_4steps"),
    ("C", "no_guidance"),
]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("config", "name"), STORED)
def test_streamed_latents_are_the_published_ones(full_set: Path, config: str, name: str) -> None:
    golden = read_golden(full_set / f"h_pipeline_{config}.safetensors")
    (case,) = (each for each in golden.cases if each["name"] == name)
    streamed, whole = stream_golden(golden, case, 5, 1, 9)
    stored = golden.outputs(name)
    last = stored[f"latents_after_step/{case['num_inference_steps'] - 1}"]
    assert difference(streamed, last) < PIPELINE_TOLERANCE
    assert difference(streamed, whole) < WHOLE_TOLERANCE


def test_the_stored_case_of_folded_frames_is_refused(full_set: Path) -> None:
    golden = read_golden(full_set / "h_pipeline_C.safetensors")
    (case,) = (each for each in golden.cases if each["name"] == "unaligned_reflect")
    with pytest.raises(ClipError, match="17 frames"):
        check_streamable(golden_sampling(case), case["video_length"])
