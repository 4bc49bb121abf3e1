"""What is played, before it sounds: notes and drum hits on a line of beats."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Note:
    """A pitched note: instrument, start and length in beats, MIDI pitch, loudness 0 to 1."""

    player: str
    start: float
    beats: float
    pitch: int
    velocity: float
    level_db: float = 0.0
    pan: float = 0.0


@dataclass(frozen=True)
class Hit:
    """A drum hit: its name in `drums`, start in beats, loudness 0 to 1."""

    drum: str
    start: float
    velocity: float


@dataclass
class Score:
    """A piece: its notes and hits, and how strictly they are played."""

    notes: list[Note] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    swing: float = 0.0
    """How far the second eighth of a beat is late, in beats."""
    looseness_s: float = 0.004
    """Spread of human timing, in seconds."""
