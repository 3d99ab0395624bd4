"""Networks come and go as they were told."""

import pytest
import torch
from torch import nn

from engine.vexpress.slots import AfterUse, Slot


class Loading:
    """Counts how often a network was loaded."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> nn.Linear:
        self.times += 1
        return nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("after_use", "times"),
    [(AfterUse.STAYS, 1), (AfterUse.MOVES_TO_CPU, 1), (AfterUse.IS_DROPPED, 2)],
)
def test_a_network_is_loaded_when_first_used(after_use: AfterUse, times: int) -> None:
    loading = Loading()
    slot = Slot(loading, "cpu", after_use)
    assert loading.times == 0
    for _ in range(2):
        with slot.use() as network:
            assert network.weight.device == torch.device("cpu")
    assert loading.times == times


def test_a_network_is_put_away_after_a_failure_too() -> None:
    loading = Loading()
    slot = Slot(loading, "cpu", AfterUse.IS_DROPPED)
    with pytest.raises(RuntimeError, match="no luck"), slot.use():
        raise RuntimeError("no luck")
    with slot.use():
        assert loading.times == 2


def test_a_network_works_on_its_device() -> None:
    slot = Slot(Loading(), "meta")  # stands for any device that is not the CPU
    with slot.use() as network:
        assert network.weight.is_meta
