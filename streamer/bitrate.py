"""How many bits a video may take. Pure: what the receiver reports goes in, and the time.

A change costs a key frame, since the encoder must be made anew. So the rate moves in coarse steps,
down at once when the network cannot carry it, up one step at a time after five calm seconds.
"""

START_BITS_PER_S = 800_000
STEPS_BITS_PER_S = (400_000, 550_000, START_BITS_PER_S, 1_200_000, 1_600_000, 2_000_000)
UP_AFTER_S = 5.0
DOWN_AFTER_S = 1.0  # since the last change: reports of the time before it are still on the way
_ENOUGH_BITS_PER_PIXEL_S = 5.0  # of a portrait: 47 dB at 512 x 512, more is seen by nobody
# Loss as a signal, after Google's congestion control (draft-ietf-rmcat-gcc-02, section 6):
# above 10 % fall by half of it, below 2 % rise by 8 % a report.
_MUCH_LOST, _LITTLE_LOST, _RISE = 0.10, 0.02, 1.08


def step_for(bits_per_s: float) -> int:
    """The highest step that an estimate allows, or the lowest step."""
    allowed = [step for step in STEPS_BITS_PER_S if step <= bits_per_s]
    return allowed[-1] if allowed else STEPS_BITS_PER_S[0]


def enough_for(pixels: int) -> int:
    """The step above which a picture of so many pixels gains nothing, and costs time to code."""
    return step_for(max(START_BITS_PER_S, _ENOUGH_BITS_PER_PIXEL_S * pixels))


class BitrateControl:
    """One video's rate, between 0.4 and 2 Mb/s."""

    def __init__(self) -> None:
        self.most_bits_per_s = STEPS_BITS_PER_S[-1]
        self.bits_per_s = START_BITS_PER_S
        self._estimate = float(START_BITS_PER_S)  # of the receiver
        self._loss_limit = float(STEPS_BITS_PER_S[-1])
        self._changed_s = 0.0
        self._tight_s = 0.0  # when there was last no room for more

    def estimated(self, bits_per_s: float) -> None:
        """The receiver believes that so much gets through (REMB)."""
        self._estimate = bits_per_s

    def lost(self, fraction: float) -> None:
        """This share of the packets was lost since the last report (RTCP RR)."""
        if fraction > _MUCH_LOST:
            self._loss_limit = self.bits_per_s * (1 - fraction / 2)
        elif fraction < _LITTLE_LOST:
            highest = float(STEPS_BITS_PER_S[-1])
            self._loss_limit = min(self._loss_limit * _RISE, highest)

    def decide(self, now_s: float) -> int:
        """The rate from now on, in bits per second."""
        allowed = step_for(min(self._estimate, self._loss_limit, self.most_bits_per_s))
        if allowed <= self.bits_per_s:
            self._tight_s = now_s
        if allowed < self.bits_per_s and now_s - self._changed_s >= DOWN_AFTER_S:
            self._change(allowed, now_s)
        elif now_s - max(self._changed_s, self._tight_s) >= UP_AFTER_S:
            self._change(STEPS_BITS_PER_S[STEPS_BITS_PER_S.index(self.bits_per_s) + 1], now_s)
        return self.bits_per_s

    def _change(self, bits_per_s: int, now_s: float) -> None:
        self.bits_per_s, self._changed_s = bits_per_s, now_s
