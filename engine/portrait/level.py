"""How loud a hop of sound is, next to the room it was spoken in and the voice that speaks.

Two running estimates, both causal and in decibels of full scale: the *noise* is the level that all
but a twentieth of the hops exceed, the *speech* level is the mean over hops that stand out of it.
Neither is ever computed per chunk, so cutting the input differently changes nothing.
"""

from dataclasses import dataclass

HOP_S = 0.01
LOWEST_DB = -100.0  # what digital silence measures

_FIRST_NOISE_DB = -60.0
_FIRST_SPEECH_DB = -26.0
_LOWEST_SPEECH_DB = -58.0  # the floor: a quieter room is not amplified up to speech
_NOISE_SHARE = 0.05  # of the hops lie below the noise estimate
_NOISE_RISE_DB_S = 2.0
_NOISE_FIRST_RISE_DB_S = 20.0  # at the start, fading over the first second
_ABOVE_NOISE_DB = 6.0
_BELOW_SPEECH_DB = 32.0  # what is that much weaker than the voice is no speech
_LOWEST_THRESHOLD_DB = -64.0
_SPEECH_MEMORY_HOPS = 300  # of speech: pauses do not count
_SPEECH_FIRST_HOPS = 8  # what the first guess of the speech level counts
_LOUDER_DB, _LOUDER_MEMORY_HOPS = 6.0, 12  # a voice that is suddenly louder is believed quickly


@dataclass(slots=True)
class LevelTracker:
    """Running noise and speech level of one stream."""

    noise_db: float = _FIRST_NOISE_DB
    speech_db: float = _FIRST_SPEECH_DB
    _first_rise: float = 1.0
    _speech_hops: int = _SPEECH_FIRST_HOPS

    def push(self, level_db: float) -> float:
        """Take the level of the next hop; return by how many decibels it counts as speech."""
        self._follow_noise(level_db)
        threshold_db = max(
            self.noise_db + _ABOVE_NOISE_DB,
            self.speech_db - _BELOW_SPEECH_DB,
            _LOWEST_THRESHOLD_DB,
        )
        excess_db = level_db - threshold_db
        if excess_db > 0:
            self._follow_speech(level_db)
        return excess_db

    def _follow_noise(self, level_db: float) -> None:
        rise_db = HOP_S * (_NOISE_RISE_DB_S + self._first_rise * _NOISE_FIRST_RISE_DB_S)
        self._first_rise *= 1 - HOP_S
        if level_db > self.noise_db:
            self.noise_db = min(self.noise_db + rise_db, level_db)
        else:
            fall_db = rise_db * (1 - _NOISE_SHARE) / _NOISE_SHARE
            self.noise_db = max(self.noise_db - fall_db, level_db, LOWEST_DB)

    def _follow_speech(self, level_db: float) -> None:
        self._speech_hops = min(self._speech_hops + 1, _SPEECH_MEMORY_HOPS)
        memory = self._speech_hops
        if level_db > self.speech_db + _LOUDER_DB:
            memory = min(memory, _LOUDER_MEMORY_HOPS)
        self.speech_db += (level_db - self.speech_db) / memory
        self.speech_db = max(self.speech_db, _LOWEST_SPEECH_DB)
