"""What is spoken, whoever speaks: two conformer blocks (Gulati et al. 2020) that look 80 ms ahead.

Every step of 20 ms is described by 144 numbers that tell phones apart and voices hardly. Steps go
in pairs, one pair a frame: a step attends to its own pair and those of the past two seconds, and
each block's taps reach one pair ahead. So what comes out at frame k belongs to frame k - 2.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.portrait.mel import PHONE_BANDS

STEPS_PER_FRAME = 2
LATE_FRAMES = BLOCKS = 2  # each block looks a frame ahead
HEARD_PHONES = 144  # numbers a step
PAST_PAIRS = 50  # that attention reaches back
PAST_TAPS, AHEAD_TAPS = 15, STEPS_PER_FRAME
HEADS = 4
STEM_HOPS = 3
_FEED_WIDTH = 576


class Feed(nn.Module):
    """Each step by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(HEARD_PHONES)
        self.widen = nn.Linear(HEARD_PHONES, _FEED_WIDTH)
        self.narrow = nn.Linear(_FEED_WIDTH, HEARD_PHONES)

    def forward(self, steps: Tensor) -> Tensor:
        """steps [batch, steps, 144] -> the same."""
        hidden = functional.silu(self.widen(self.norm(steps)))
        result: Tensor = steps + self.narrow(hidden)
        return result


class Attend(nn.Module):
    """Each step among those of the past, or of the whole sound; it knows no order."""

    def __init__(self, past_pairs: int | None) -> None:
        super().__init__()
        self._past_pairs = past_pairs
        self.norm = nn.LayerNorm(HEARD_PHONES)
        self.ask = nn.Linear(HEARD_PHONES, 3 * HEARD_PHONES)  # queries, keys, values
        self.answer = nn.Linear(HEARD_PHONES, HEARD_PHONES)

    def forward(self, steps: Tensor) -> Tensor:
        """steps [batch, steps, 144] -> the same."""
        batch, count, _ = steps.shape
        asked = self.ask(self.norm(steps)).reshape(batch, count, 3, HEADS, -1)
        queries, keys, values = asked.permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(queries, keys, values, self._seen(count))
        result: Tensor = steps + self.answer(found.transpose(1, 2).reshape(steps.shape))
        return result

    def _seen(self, count: int) -> Tensor | None:
        """Which steps [count, count] each step looks at; None for all."""
        if self._past_pairs is None:
            return None
        pair = torch.arange(count) // STEPS_PER_FRAME
        before = pair[:, None] - pair
        return (before >= 0) & (before <= self._past_pairs)


class Reach(nn.Module):
    """Each step among its neighbours."""

    def __init__(self, ahead_taps: int) -> None:
        super().__init__()
        self._around = PAST_TAPS, ahead_taps
        self.norm = nn.LayerNorm(HEARD_PHONES)
        self.gate = nn.Linear(HEARD_PHONES, 2 * HEARD_PHONES)
        taps = PAST_TAPS + 1 + ahead_taps
        self.taps = nn.Conv1d(HEARD_PHONES, HEARD_PHONES, taps, groups=HEARD_PHONES)
        self.mix = nn.Linear(HEARD_PHONES, HEARD_PHONES)

    def forward(self, steps: Tensor) -> Tensor:
        """steps [batch, steps, 144] -> the same."""
        gated = functional.glu(self.gate(self.norm(steps)), -1).transpose(1, 2)
        reached = self.taps(functional.pad(gated, self._around))
        result: Tensor = steps + self.mix(functional.silu(reached).transpose(1, 2))
        return result


class PhoneBlock(nn.Module):
    """One conformer block."""

    def __init__(self, past_pairs: int | None, ahead_taps: int) -> None:
        super().__init__()
        self.first, self.last = Feed(), Feed()
        self.attend, self.reach = Attend(past_pairs), Reach(ahead_taps)
        self.norm = nn.LayerNorm(HEARD_PHONES)

    def forward(self, steps: Tensor) -> Tensor:
        """steps [batch, steps, 144] -> the same."""
        result: Tensor = self.norm(self.last(self.reach(self.attend(self.first(steps)))))
        return result


class PhoneNetwork(nn.Module):
    """The network as it is trained, on whole stretches of sound; `PhoneRunner` streams it."""

    def __init__(self, past_pairs: int | None = PAST_PAIRS, ahead_taps: int = AHEAD_TAPS) -> None:
        """Its teacher reaches further: attention to the whole sound (None) and more taps ahead."""
        super().__init__()
        self.stem = nn.Conv1d(PHONE_BANDS, HEARD_PHONES, STEM_HOPS, STEPS_PER_FRAME, padding=1)
        self.blocks = nn.ModuleList(PhoneBlock(past_pairs, ahead_taps) for _ in range(BLOCKS))

    def forward(self, bands: Tensor) -> Tensor:
        """bands [batch, hops, PHONE_BANDS], whole frames: steps [batch, hops / 2, 144]."""
        steps = functional.gelu(self.stem(bands.transpose(1, 2))).transpose(1, 2)
        for block in self.blocks:
            steps = block(steps)
        return steps
