from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.training.corpus import CorpusError
from engine.training.loop import Log, Pace, train

PACE = Pace(steps=250, learning_rate=0.05, weight_decay=0.0, average=0.9)


class Stopped(Exception):
    """The training was interrupted."""


def run(file: Path | None, stop_at: int = -1, pace: Pace = PACE) -> tuple[nn.Module, list[float]]:
    torch.manual_seed(0)
    network, log = nn.Linear(3, 2), Log("test")

    def loss_of(step: int) -> Tensor:
        if step == stop_at:
            raise Stopped
        inputs = torch.randn(8, 3)
        loss: Tensor = (network(inputs) - inputs[:, :2] * 2).square().mean()
        return loss

    return train(pace, network, loss_of, log, file), log.losses


def test_training_learns() -> None:
    network, losses = run(None)
    assert losses[-1] < 0.01 * losses[0]
    assert isinstance(network, nn.Linear)
    torch.testing.assert_close(network.weight, 2 * torch.eye(2, 3), rtol=0, atol=0.05)


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    whole, losses = run(None)
    file = tmp_path / "run.checkpoint"
    with pytest.raises(Stopped):
        run(file, stop_at=130)
    resumed, later = run(file)
    assert later == losses
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
    assert [path.name for path in tmp_path.iterdir()] == ["run.checkpoint"]


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    file = tmp_path / "run.checkpoint"
    first, losses = run(file)
    again, later = run(file, stop_at=0)
    assert later == losses
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.checkpoint"
    run(file)
    with pytest.raises(CorpusError, match="belongs to another run"):
        run(file, pace=Pace(steps=30))


def test_a_checkpoint_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="make room and run again"):
        run(tmp_path / "missing" / "run.checkpoint")
