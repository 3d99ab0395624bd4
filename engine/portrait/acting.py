"""Direction applied to motion: eased, frame by frame, and left alone where nothing is directed.

Time is counted in frames, and frames are all that the state knows of: cutting the sound otherwise
changes nothing.
"""

from dataclasses import dataclass, field
from math import exp

import numpy as np

from engine.config import TIMING
from engine.direction import MAX_STRENGTH, Direction, Pose, PuppetFrame
from engine.portrait.channels import CHANNELS, GAZE, LIDS, MOUTH, Channel
from engine.portrait.geometry import Doubles
from engine.portrait.landmarks import Floats
from engine.repertoire import Gesture, repertoire
from engine.script import Cue, Script

FACE_WIDTH_CM = 15.3  # ear to ear of the canonical face
NEAR_SCALE = 0.016  # growth per centimetre nearer: a face at arm's length
# A still is bent flatter than a head is deep: the channel's radian shows as so much of one.
YAW_SHOWN, PITCH_SHOWN = 0.62, 0.82
_EASE_S = 0.09  # of each of two stages in a row: most of the way is gone after 0.3 s
_EASE = 1 - exp(-TIMING.frame_s / _EASE_S)
_FOLLOW = 0.6  # share of the way to a camera's newest frame: steadies it, costs half a frame
_STALE_FRAMES = round(0.5 / TIMING.frame_s)  # without news from the camera
_FADE = 0.75  # per frame, of what is left of a gesture that another one replaced
_PARTED_CM = 0.25  # a mouth that the voice opens so far is no longer closed for a p, b or m
_LIPS_APART = np.array([Channel.JAW_OPEN, Channel.UPPER_LIP_UP, Channel.LOWER_LIP_DOWN])
_POSE = (
    Channel.YAW, Channel.PITCH, Channel.ROLL,
    Channel.SHIFT_LEFT, Channel.SHIFT_UP, Channel.SHIFT_NEAR,
)  # fmt: skip
_UPPER_FACE = ("brows_up", "blink_right", "blink_left", "gaze_left", "gaze_up")
_PUPPET = np.array([*_POSE, *(Channel[name.upper()] for name in _UPPER_FACE)])
# What the renderer can show; radians and centimetres.
SOFT_LIMITS = {
    Channel.GAZE_LEFT: 0.28,
    Channel.GAZE_UP: 0.2,
    Channel.YAW: 0.29,
    Channel.PITCH: 0.18,
    Channel.ROLL: 0.26,
    Channel.BROWS_UP: 0.9,
    Channel.MOUTH_WIDE: 1.8,
    Channel.CORNERS_UP: 0.8,
}
_KNEE = 0.75  # of a limit: below it nothing changes
_MOST = np.array(list(SOFT_LIMITS.values()))

_MOUTH, _BROWS, _EYES = range(3)


def pose_channels(pose: Pose) -> Floats:
    """The motion channels [CHANNELS] of a pose."""
    channels = np.zeros(CHANNELS, np.float32)
    channels[[Channel.YAW, Channel.PITCH, Channel.ROLL]] = np.radians(
        [pose.yaw / YAW_SHOWN, pose.pitch / PITCH_SHOWN, pose.roll]
    )
    channels[Channel.SHIFT_LEFT] = pose.x * FACE_WIDTH_CM
    channels[Channel.SHIFT_UP] = pose.y * FACE_WIDTH_CM
    channels[Channel.SHIFT_NEAR] = (pose.scale - 1) / NEAR_SCALE
    return channels


def named_channels(offsets: dict[str, float]) -> Floats:
    """The motion channels [CHANNELS] of named values."""
    channels = np.zeros(CHANNELS, np.float32)
    for name, value in offsets.items():
        channels[Channel[name.upper()]] = value
    return channels


def soften(motion: Floats) -> Floats:
    """Bring channels back to what can be shown, smoothly: the further out, the less is gained."""
    channels = list(SOFT_LIMITS)
    motion[channels] = soft_limit(motion[channels], _MOST)
    return motion


def soft_limit(values: Floats | Doubles, limits: Doubles) -> Doubles:
    """Values [..., channels] below three quarters of their limits as they are, else nearer."""
    knee, room = _KNEE * limits, (1 - _KNEE) * limits
    beyond = np.maximum(np.abs(values) - knee, 0)
    near = np.minimum(np.abs(values), knee)
    return np.asarray(np.copysign(near + room * np.tanh(beyond / room), values))


def protect_closure(offsets: Floats, mouth: Floats) -> Floats:
    """Offsets of an emotion that leave a p, b or m closed.

    What would part the lips counts only as far as the voice's own `mouth` [9] has parted them.
    """
    gap = float(mouth[Channel.UPPER_LIP_UP] + mouth[Channel.LOWER_LIP_DOWN])
    share = min(max(gap / _PARTED_CM, 0.0), 1.0)
    kept = offsets.copy()
    kept[_LIPS_APART] *= share
    return kept


def drive(motion: Floats, cue: Cue) -> Floats:
    """Let a film's head and upper face take the place of generated ones, and its share of mouth."""
    if cue.driven is not None:
        motion[_PUPPET] = cue.driven[_PUPPET]
        motion[MOUTH] += np.float32(cue.mouth_share) * (cue.driven[MOUTH] - motion[MOUTH])
    return motion


@dataclass(slots=True)
class _Eased:
    """Values on their way to what was asked for; the first ones hold at once."""

    target: Floats
    _first: Floats = field(init=False)
    now: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.jump(self.target)

    def jump(self, target: Floats) -> None:
        self.target = target
        self._first, self.now = target.copy(), target.copy()

    def advance(self) -> Floats:
        self._first += (self.target - self._first) * np.float32(_EASE)
        self.now += (self._first - self.now) * np.float32(_EASE)
        return self.now


class Acting:
    """What one stream was asked to do, and how far it has come."""

    def __init__(self, strength: float = 1.0, script: Script | None = None) -> None:
        """`strength` is the stream's own, which the direction's multiplies."""
        self._strength, self._script = strength, script
        self._frames = 0
        self._is_asked = script is not None  # for anything; until then a frame costs nothing
        self._pose = _Eased(np.zeros(CHANNELS, np.float32))
        self._emotion = _Eased(np.zeros(CHANNELS, np.float32))
        self._strengths = _Eased(self._scales(Direction()))
        self._gesture: tuple[Gesture, int] | None = None
        self._left_over = np.zeros(CHANNELS, np.float32)
        self._puppet = _Puppet()

    def direct(self, direction: Direction) -> None:
        """Go to a direction; at once if no frame was made yet. Raises `UnknownEmotionError`."""
        inside = direction.limited()[0]
        self._is_asked |= inside != Direction()
        offsets = named_channels(dict(repertoire().emotion(inside.emotion)))
        emotion = offsets * np.float32(inside.emotion_strength)
        targets = pose_channels(inside.pose), emotion, self._scales(inside)
        eased = self._pose, self._emotion, self._strengths
        for one, target in zip(eased, targets, strict=True):
            if self._frames:
                one.target = target
            else:
                one.jump(target)

    def gesture(self, name: str) -> None:
        """Begin a gesture with the next frame. Raises `UnknownGestureError`."""
        wanted = repertoire().gesture(name)
        self._is_asked = True
        self._left_over = self._left_over + self._gesture_now()
        self._gesture = (wanted, self._frames)

    def puppet(self, frame: PuppetFrame | None) -> None:
        """Follow a camera's newest frame, or none."""
        self._is_asked |= frame is not None
        self._puppet.see(frame)

    def apply(self, motion: Floats) -> Floats:
        """The motion [CHANNELS] of the next frame, directed."""
        if not self._is_asked:
            self._frames += 1
            return motion
        cue = Cue() if self._script is None else self._script.cue(self._frames)
        for name in cue.gestures:
            self.gesture(name)
        acted = drive(self._puppet.apply(motion.copy()), cue)
        mouth, brows, eyes = (float(value) for value in self._strengths.advance())
        acted[MOUTH] *= mouth
        acted[Channel.BROWS_UP] *= brows
        acted[GAZE] *= eyes
        scaled = self._emotion.advance().copy()
        scaled[MOUTH] *= min(mouth * self._strength, MAX_STRENGTH)
        scaled[Channel.BROWS_UP] *= brows
        scaled[LIDS] *= eyes
        acted += protect_closure(scaled, acted[MOUTH])
        acted += self._pose.advance() + self._gesture_now() + self._left_over
        if cue.pose is not None:
            acted += pose_channels(cue.pose)
        self._left_over *= np.float32(_FADE)
        self._frames += 1
        return soften(acted)

    def _scales(self, direction: Direction) -> Floats:
        """Factors of the mouth, the brows and the eyes, the mouth's own one not above the limit."""
        parts = direction.mouth, direction.brows, direction.eyes
        mouth, brows, eyes = (min(direction.strength * part, MAX_STRENGTH) for part in parts)
        if self._strength > 0:
            mouth = min(mouth, MAX_STRENGTH / self._strength)
        return np.array([mouth, brows, eyes], np.float32)

    def _gesture_now(self) -> Floats:
        if self._gesture is None:
            return np.zeros(CHANNELS, np.float32)
        gesture, began = self._gesture
        time_s = (self._frames - began + 1) * TIMING.frame_s
        if time_s > gesture.length_s:
            self._gesture = None
        return named_channels(gesture.at(time_s))


class _Puppet:
    """Follows a camera while there is one, and lets go smoothly."""

    def __init__(self) -> None:
        self._weight = _Eased(np.zeros(1, np.float32))
        self._wanted = self._values = np.zeros(len(_PUPPET), np.float32)
        self._age_frames = 0

    def see(self, frame: PuppetFrame | None) -> None:
        self._weight.target = np.full(1, frame is not None, np.float32)
        if frame is None:
            return
        channels = pose_channels(frame.pose.limited()[0])
        channels += named_channels({name: getattr(frame, name) for name in _UPPER_FACE})
        self._wanted, self._age_frames = channels[_PUPPET], 0
        if not self._weight.now.any():
            self._values = self._wanted

    def apply(self, motion: Floats) -> Floats:
        self._age_frames += 1
        if self._age_frames > _STALE_FRAMES:
            self._weight.target = np.zeros(1, np.float32)
        weight = self._weight.advance()
        self._values = self._values + (self._wanted - self._values) * np.float32(_FOLLOW)
        motion[_PUPPET] += weight * (self._values - motion[_PUPPET])
        return motion
