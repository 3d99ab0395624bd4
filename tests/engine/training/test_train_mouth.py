"""Training the mouth network: fair draws, losses that want the truth, runs that go on."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine.portrait.painted_mouth_network import PaintedMouthNetwork
from engine.training.mouth import (
    Log,
    MouthPlan,
    People,
    Trainer,
    compose,
    held_out_error,
    picture_loss,
    save,
    shades_apart,
    train,
)
from engine.training.mouth_batches import PairSampler
from engine.training.mouth_data import MouthPairs

PLAN = MouthPlan(steps=3, pairs=1)


@pytest.fixture(scope="module")
def pairs() -> MouthPairs:
    """Person 0 has ten pairs, person 1 two hundred."""
    random = np.random.default_rng(0)
    count, side = 210, 128
    identity = np.repeat([0, 1], [10, 200])
    follows = np.ones(count, bool)
    follows[[0, 10]] = False
    ys, xs = np.mgrid[:side, :side]
    opening = (np.hypot((xs - 64) / 3, ys - 64) < 10).astype(np.uint8) * 255
    colours = random.integers(40, 200, (16, 16, 3)).astype(np.uint8)
    picture = np.kron(colours, np.ones((8, 8, 1), np.uint8))
    pictures = np.repeat(picture[None], count, 0)
    masks = np.repeat(opening[None], count, 0)
    return MouthPairs(
        pictures, pictures // 2, masks, masks, follows, np.zeros(count, int), identity,
        picture[None], opening[None], opening[None],
    )  # fmt: skip


def test_people_are_drawn_evenly_whatever_their_clips_length(pairs: MouthPairs) -> None:
    sampler = PairSampler(pairs, 0)
    shares = np.bincount(pairs.identity[sampler.usable], sampler.shares)
    np.testing.assert_allclose(shares, 0.5, atol=0.05)


def test_a_draw_depends_on_seed_and_step_alone(pairs: MouthPairs) -> None:
    first, again = PairSampler(pairs, 1).draw(5, 2), PairSampler(pairs, 1).draw(5, 2)
    other = PairSampler(pairs, 1).draw(6, 2)
    assert torch.equal(first.warped, again.warped)
    assert not torch.equal(first.warped, other.warped)


def test_both_frames_of_a_pair_stand_in_the_same_light(pairs: MouthPairs) -> None:
    batch = PairSampler(pairs, 0).draw(0, 4)
    assert torch.equal(batch.still[::2], batch.still[1::2])
    assert not torch.allclose(batch.still[0], batch.still[2])


def test_the_truth_costs_nothing_and_flicker_does(pairs: MouthPairs) -> None:
    batch = PairSampler(pairs, 0, augment=False).draw(0, 2)
    assert picture_loss(batch.target, batch, PLAN).item() == 0
    off = torch.zeros(4, 1, 1, 1)
    off[::2], off[1::2] = 0.1, 0.1
    steady = picture_loss(batch.target + off, batch, PLAN)
    off[1::2] = -0.1
    scale = (batch.cover + 2 * batch.opening).mean()
    change = 0.2 * float(batch.opening.mean() / scale)
    assert picture_loss(batch.target + off, batch, PLAN) > steady + 0.9 * PLAN.steady * change


def test_colours_are_compared_wherever_they_stand_and_a_blur_is_far() -> None:
    opening = torch.zeros(1, 1, 8, 8)
    opening[..., 2:6] = 1
    teeth = torch.zeros(1, 3, 8, 8)
    teeth[..., :4, :] = 0.4
    assert shades_apart(teeth.flip(2), teeth, opening).item() == 0
    assert shades_apart(torch.full_like(teeth, 0.2), teeth, opening).item() > 0.05


def test_nothing_is_painted_outside_the_cover(pairs: MouthPairs) -> None:
    batch = PairSampler(pairs, 0).draw(0, 1)
    made = compose(PaintedMouthNetwork(), batch)
    outside = (batch.cover == 0).expand_as(made)
    assert torch.equal(made[outside], batch.warped[outside])
    assert not torch.equal(made, batch.warped)


def test_the_held_out_error_is_that_of_the_opening(pairs: MouthPairs) -> None:
    batch = PairSampler(pairs, 0, augment=False).draw(0, 1)
    network = PaintedMouthNetwork()
    made = compose(network, batch).detach()
    inside = batch.opening > 0
    off = torch.where(inside, 0.25, 9.0)
    far = dataclasses.replace(batch, target=made.clamp(-0.5, 0.5) + off)
    assert held_out_error(network, far) == pytest.approx(0.25, abs=0.01)


def test_people_whose_teeth_stand_alike_have_no_place_of_their_own() -> None:
    people = People(3)
    with torch.no_grad():
        people.place.add_(0.5)
    assert not people(torch.tensor([0, 2])).any()


def test_grey_stills_come_with_grey_mouths(pairs: MouthPairs) -> None:
    sampler = PairSampler(pairs, 0)
    stills = torch.cat([sampler.draw(step, 4).still for step in range(3)]) + 0.5
    targets = torch.cat([sampler.draw(step, 4).target for step in range(3)]) + 0.5
    spreads = [(part.amax(1) - part.amin(1)).mean((1, 2)) for part in (stills, targets)]
    grey = spreads[0] < 0.1 * spreads[0].max()
    assert 0 < grey.sum() < len(grey)
    assert spreads[1][grey].max() < spreads[1][~grey].min()


@pytest.mark.slow
def test_a_run_that_was_stopped_ends_as_one_that_was_not(pairs: MouthPairs, tmp_path: Path) -> None:
    whole = Trainer(PLAN, PairSampler(pairs, 0))
    log = Log(tmp_path, lambda: 0.0)
    train(whole, tmp_path / "whole.pt", 60, log)
    first = Trainer(PLAN, PairSampler(pairs, 0))
    first.advance()
    torch.save(first.state(), tmp_path / "cut.pt")
    second = Trainer(PLAN, PairSampler(pairs, 0))
    train(second, tmp_path / "cut.pt", 60, log)
    assert second.step == PLAN.steps
    for one, other in zip(whole.kept.parameters(), second.kept.parameters(), strict=True):
        assert torch.equal(one, other)


def test_weights_replace_older_ones_whole(tmp_path: Path) -> None:
    out = tmp_path / "mouth.safetensors"
    out.write_bytes(b"older")
    network = PaintedMouthNetwork()
    save(network, out)
    assert set(load_file(out)) == set(network.state_dict())
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_a_log_keeps_a_line_for_every_fifty_steps(tmp_path: Path) -> None:
    log = Log(tmp_path, lambda: 0.125)
    for step in range(100):
        log(step, {"picture": float(step)})
    lines = [json.loads(line) for line in (tmp_path / "mouth.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [50, 100]
    assert [line["picture"] for line in lines] == [24.5, 74.5]
    log.draw(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
