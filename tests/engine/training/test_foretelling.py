from collections.abc import Iterator

import numpy as np
import pytest
import torch

from engine.portrait.mouth_network import MouthNetwork
from engine.training.corpus import TalkingClip
from engine.training.foretelling import (
    Batches,
    Mixture,
    MouthPlan,
    Samplers,
    identity_shares,
    train_mouth,
)
from engine.training.loop import Log, Pace
from tests.engine.training.programmes_of_beats import SCALE, rounds

MIXTURE = Mixture(rounds=2, real_crops=4, synthetic_crops=4)
PLAN = MouthPlan(pace=Pace(steps=24), dropout=0.0)


def trained() -> tuple[MouthNetwork, list[float]]:
    log = Log("mouth")
    network = train_mouth(PLAN, Batches(MIXTURE, PLAN.pace, rounds()), SCALE, log)
    return network, log.losses


@pytest.mark.slow
def test_training_learns_and_repeats_itself() -> None:
    network, losses = trained()
    assert len(losses) == PLAN.pace.steps
    assert np.mean(losses[-4:]) < 0.6 * np.mean(losses[:4])
    again, _ = trained()
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_programmes_are_made_anew_once_a_round() -> None:
    made, seen = list[int](), list[int]()

    def counted() -> Iterator[Samplers]:
        for number, one in enumerate(rounds()):
            made.append(number)
            yield one

    batches = Batches(MIXTURE, Pace(steps=10), counted())
    for step in (0, 4, 5, 9):
        batches.draw(step)
        seen.append(len(made))
    assert seen == [1, 1, 2, 2]


def test_a_person_counts_by_the_root_of_their_seconds() -> None:
    def clip(identity: str, frames: int) -> TalkingClip:
        sound, mouth = np.zeros(640 * frames, np.float32), np.zeros((frames, 9), np.float32)
        return TalkingClip("name", identity, "real", sound, mouth)

    shares = identity_shares([clip("much", 400), clip("much", 400), clip("little", 50)])
    assert shares["much"] == pytest.approx(4 * shares["little"])
