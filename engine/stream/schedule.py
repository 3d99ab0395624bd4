"""Which frames the network looks at, when, and at which noise levels. Pure arithmetic.

Conditions arrive in chunks of `chunk_frames`; chunk k holds the frames from k * chunk_frames on.
A schedule says for every chunk that arrives which calls to make then. All frames of a call are
consecutive and end with the chunk. The first `clamped` of them are finished and only looked at;
the others go one level down. Levels count from 0, the noisiest, to `steps`, which is clean.
"""

from dataclasses import dataclass
from typing import Protocol

from engine.api import AvatarError


class ScheduleError(AvatarError):
    """Numbers that make no schedule."""


@dataclass(frozen=True, slots=True)
class Call:
    """One look of the network."""

    first_frame: int
    levels: tuple[int, ...]  # of each frame, before the call
    clamped: int  # so many frames at the start are finished
    leaving: range  # the frames that are clean after the call and go out
    guided: bool  # whether classifier-free guidance is applied

    @property
    def frames(self) -> range:
        """The frames that the network sees."""
        return range(self.first_frame, self.first_frame + len(self.levels))

    @property
    def entering(self) -> int:
        """How many frames at the end begin from noise in this call."""
        active = self.levels[self.clamped :]
        return active.count(0)


class Schedule(Protocol):
    """A plan for ever, fixed in cost."""

    @property
    def chunk_frames(self) -> int:
        """Frames whose conditions arrive together."""
        ...

    @property
    def window_frames(self) -> int:
        """Frames that the largest call sees."""
        ...

    @property
    def delay_frames(self) -> int:
        """How many further frames' conditions must be known before a frame leaves."""
        ...

    @property
    def steps(self) -> int:
        """Noise levels that a frame goes through."""
        ...

    @property
    def finishes_chunks(self) -> bool:
        """Whether nothing is half done between two chunks, so that a stream can begin anew."""
        ...

    def calls(self, chunk: int) -> tuple[Call, ...]:
        """What to do when `chunk` has arrived; what comes before chunk 0 counts as finished."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Every chunk goes through all levels at once, beside the frames that were shown before it.

    The finished frames are shown to the network at the level of the new ones, with their own
    noise, which is how stock weights have seen frames: all equally noisy. With `clean_history`
    they are shown clean, to networks that were trained on frames of mixed levels. `future` frames
    are denoised with the chunk for what they say about it and come again with the next one.
    """

    chunk_frames: int
    history_frames: int
    steps: int
    future_frames: int = 0
    guided_steps: int = 0  # the first ones
    clean_history: bool = False

    def __post_init__(self) -> None:
        _check(
            self.chunk_frames >= 1 and self.history_frames >= 0 and self.future_frames >= 0,
            f"a chunk of {self.chunk_frames} frames, {self.history_frames} before it and "
            f"{self.future_frames} after it: expected at least 1, 0 and 0",
        )
        _check(
            0 <= self.guided_steps <= self.steps and self.steps >= 1,
            f"{self.guided_steps} guided of {self.steps} steps: expected at most all of some",
        )

    @property
    def window_frames(self) -> int:
        """Frames that a call sees."""
        return self.history_frames + self.chunk_frames + self.future_frames

    @property
    def delay_frames(self) -> int:
        """A frame waits for the rest of its chunk and for the future frames."""
        return self.chunk_frames - 1 + self.future_frames

    @property
    def finishes_chunks(self) -> bool:
        """Future frames are begun again in any case."""
        return True

    def calls(self, chunk: int) -> tuple[Call, ...]:
        """One call for each level."""
        end = (chunk + 1) * self.chunk_frames
        first = end - self.window_frames
        start = first + self.history_frames
        leaving = range(start, start + self.chunk_frames)
        return tuple(
            Call(
                first_frame=first,
                levels=self._levels(level),
                clamped=self.history_frames,
                leaving=leaving if level == self.steps - 1 else range(start, start),
                guided=level < self.guided_steps,
            )
            for level in range(self.steps)
        )

    def _levels(self, level: int) -> tuple[int, ...]:
        shown = self.steps if self.clean_history else level
        active_frames = self.chunk_frames + self.future_frames
        return (shown,) * self.history_frames + (level,) * active_frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagonal:
    """One call a chunk: `steps` chunks stand at `steps` levels and all go down together.

    Needs a network that was trained on frames of mixed levels. A chunk leaves `steps` - 1
    chunks after it came. Where chunks before `since` stand in the pile they are finished and are
    shown at the level of their place. `history_frames` are shown clean before the pile.
    """

    chunk_frames: int
    steps: int
    history_frames: int = 0

    def __post_init__(self) -> None:
        _check(
            self.chunk_frames >= 1 and self.steps >= 1 and self.history_frames >= 0,
            f"{self.steps} groups of {self.chunk_frames} frames after {self.history_frames}: "
            "expected at least 1, 1 and 0",
        )

    @property
    def window_frames(self) -> int:
        """Frames that a call sees."""
        return self.history_frames + self.steps * self.chunk_frames

    @property
    def delay_frames(self) -> int:
        """A frame waits for the rest of its chunk and until it has come down."""
        return self.steps * self.chunk_frames - 1

    @property
    def finishes_chunks(self) -> bool:
        """The pile is always half done, unless it is a single group."""
        return self.steps == 1

    def calls(self, chunk: int, since: int = 0) -> tuple[Call, ...]:
        """A single call; everything before chunk `since` is finished."""
        size, oldest = self.chunk_frames, chunk - self.steps + 1
        levels = tuple(level for level in reversed(range(self.steps)) for _ in range(size))
        finished = min(max(since - oldest, 0), self.steps)
        start = oldest * size
        return (
            Call(
                first_frame=start - self.history_frames,
                levels=(self.steps,) * self.history_frames + levels,
                clamped=self.history_frames + finished * size,
                leaving=range(start, start) if finished else range(start, start + size),
                guided=False,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """The first chunks after a start at once, each in a short window, then the diagonal.

    A diagonal alone shows its first frame only when the pile has filled. Which chunks are short
    depends on their number alone, never on how far ahead the sound is: frames must not depend on
    how the sound was cut. After the last short chunk the pile is filled anew behind it.
    """

    diagonal: Diagonal
    chunks: int = 1
    history_frames: int = 2

    def __post_init__(self) -> None:
        short, room = self._short.window_frames, self.diagonal.window_frames
        _check(
            self.chunks >= 1 and short <= room,
            f"{self.chunks} short chunks of {short} frames before a window of {room}: "
            "expected at least 1, and not wider than it",
        )

    @property
    def chunk_frames(self) -> int:
        """As in the diagonal."""
        return self.diagonal.chunk_frames

    @property
    def window_frames(self) -> int:
        """Frames of the larger call."""
        return self.diagonal.window_frames

    @property
    def delay_frames(self) -> int:
        """As in the diagonal; the first chunks come sooner."""
        return self.diagonal.delay_frames

    @property
    def steps(self) -> int:
        """As in the diagonal."""
        return self.diagonal.steps

    @property
    def finishes_chunks(self) -> bool:
        """As in the diagonal."""
        return self.diagonal.finishes_chunks

    def calls(self, chunk: int) -> tuple[Call, ...]:
        """Short calls for the first chunks, one long call for every later one."""
        if chunk < self.chunks:
            return self._short.calls(chunk)
        return self.diagonal.calls(chunk, self.chunks)

    @property
    def _short(self) -> Window:
        return Window(
            chunk_frames=self.diagonal.chunk_frames,
            history_frames=self.history_frames,
            steps=self.diagonal.steps,
        )


def evaluations_per_frame(schedule: Schedule) -> float:
    """Network evaluations of single frames for each frame that leaves, in the long run.

    A guided call counts twice, once with conditions and once without.
    """
    late = 1_000_000  # a chunk after any beginning
    calls = schedule.calls(late)
    seen = sum(len(call.levels) * (1 + call.guided) for call in calls)
    return seen / sum(len(call.leaving) for call in calls)


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise ScheduleError(message)
