"""A score: notes and drum hits in beats, and the timing that fits whole bars into a length."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pipeline.generators.sketch.dsp.units import RATE, samples


class Note(NamedTuple):
    """A pitched note: instrument, start and length in beats, MIDI pitch, loudness 0 to 1."""

    player: str
    start: float
    beats: float
    pitch: int
    velocity: float
    level_db: float = 0.0
    pan: float = 0.0


class Hit(NamedTuple):
    """A drum hit: the drum, start in beats, loudness 0 to 1."""

    player: str
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


_LOOSEST = 0.13
"""Largest change (as a ratio) of a tempo from words that makes whole bars fill the length."""


@dataclass(frozen=True)
class Timing:
    """A grid of ``bars`` bars at ``bpm`` in ``n`` samples; unless it loops, the cue rings out after the last bar."""

    bpm: float
    beats_in_bar: int
    bars: int
    n: int

    @property
    def beat(self) -> float:
        """Seconds of a beat."""
        return 60.0 / self.bpm

    def at(self, beat: float) -> int:
        """The sample at which a beat falls."""
        return round(beat * self.beat * RATE)


def loop_timing(seconds: float, bpm: float | None, tempo: float, beats_in_bar: int) -> Timing:
    """Whole bars nearest to ``seconds``: at ``bpm`` exactly, else at a tempo near ``tempo`` that fills it.

    >>> loop_timing(40.0, 92.0, 100.0, 4).bars
    15
    >>> loop_timing(40.0, None, 92.0, 4).n
    1920000
    """
    if bpm is None:
        return _stretched(seconds, tempo, beats_in_bar, samples(seconds))
    bar = beats_in_bar * 60.0 / bpm
    bars = max(1, round(seconds / bar))
    return Timing(bpm, beats_in_bar, bars, samples(bars * bar))


def ending_timing(seconds: float, bpm: float | None, tempo: float, beats_in_bar: int) -> Timing:
    """A cue that ends: whole bars, then the last chord rings for the rest of ``seconds``."""
    ringing = float(np.clip(0.12 * seconds, 1.2, 4.5)) if seconds > 3.0 else 0.45 * seconds
    playing = seconds - ringing
    if bpm is None:
        return _stretched(playing, tempo, beats_in_bar, samples(seconds))
    return Timing(bpm, beats_in_bar, max(1, int(playing * bpm / 60.0 / beats_in_bar)), samples(seconds))


def _stretched(seconds: float, tempo: float, beats_in_bar: int, n: int) -> Timing:
    """Bars that fill ``seconds``: phrases of four where a tempo near ``tempo`` allows, else pairs, else any number."""
    exact = seconds * tempo / 60.0 / beats_in_bar
    for group in (4, 2, 1):
        bars = max(group, round(exact / group) * group)
        if abs(bars / exact - 1.0) <= _LOOSEST:
            break
    return Timing(bars * beats_in_bar * 60.0 / seconds, beats_in_bar, bars, n)
