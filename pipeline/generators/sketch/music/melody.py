"""Tunes: a motif of one bar, stated, carried to the next chord, broken up, and brought to rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.generators.sketch.dsp.units import Rng
from pipeline.generators.sketch.music.theory import Chord, singable

_BEAT_CELLS: tuple[tuple[float, tuple[float, ...]], ...] = (
    (0.0, (1.0,)),
    (0.35, (0.5, 0.5)),
    (0.45, (0.75, 0.25)),
    (0.6, (0.5, 0.25, 0.25)),
    (0.9, (0.25, 0.25, 0.5)),
)
"""Ways to fill a beat, each with the liveliness (0 to 1) at which it is most at home."""


@dataclass(frozen=True)
class Tone:
    """A melody note: start and length in beats from the tune's start, scale degree, loudness 0 to 1."""

    start: float
    beats: float
    degree: int
    velocity: float


@dataclass(frozen=True)
class _Motif:
    rhythm: tuple[tuple[float, float], ...]
    """Start and length in beats."""
    steps: tuple[int, ...]
    """Scale steps from the note before; the first is 0."""


def tune(rng: Rng, chords: list[Chord], beats_in_bar: int, liveliness: float, span: int = 6) -> list[Tone]:
    """A melody over one chord a bar, in phrases of four bars.

    ``liveliness`` (0 to 1) makes it busier; degrees stay within ``span`` steps of the tonic's octave.
    """
    main, other = (_motif(rng, beats_in_bar, liveliness) for _ in range(2))
    place = int(rng.integers(1, 4))
    out: list[Tone] = []
    for bar, chord in enumerate(chords):
        where = bar % 4 if len(chords) - bar > 1 else 3
        motif = (main, main, other if (bar // 4) % 2 else _fragment(main), main)[where]
        resting = where == 3
        tones = _rest(rng, motif, chord, place, beats_in_bar) if resting else _sing(motif, chord, place, span)
        place = tones[-1].degree
        out += [Tone(bar * beats_in_bar + t.start, t.beats, t.degree, t.velocity) for t in tones]
    return out


def _motif(rng: Rng, beats: int, liveliness: float) -> _Motif:
    rhythm: list[tuple[float, float]] = []
    beat = 0
    while beat < beats:
        if rng.random() < 0.55 - 0.5 * liveliness and beat + 2 <= beats:
            rhythm.append((float(beat), 2.0))
            beat += 2
            continue
        fits = np.array([np.exp(-(((home - liveliness) / 0.3) ** 2)) + 0.02 for home, _ in _BEAT_CELLS])
        cell = _BEAT_CELLS[int(rng.choice(len(_BEAT_CELLS), p=fits / fits.sum()))][1]
        at = float(beat)
        for length in cell:
            rhythm.append((at, length))
            at += length
        beat += 1
    if len(rhythm) > 2 and rng.random() < 0.4:
        del rhythm[int(rng.integers(1, len(rhythm)))]
    return _Motif(tuple(rhythm), _contour(rng, len(rhythm)))


def _contour(rng: Rng, count: int) -> tuple[int, ...]:
    """Mostly steps, one leap answered by steps the other way."""
    way = int(rng.choice([-1, 1]))
    steps = [0]
    leapt = False
    for _ in range(count - 1):
        if not leapt and rng.random() < 0.28:
            steps.append(way * int(rng.integers(2, 5)))
            way, leapt = -way, True
            continue
        if rng.random() < 0.25:
            way = -way
        steps.append(0 if rng.random() < 0.12 else way)
    return tuple(steps)


def _fragment(motif: _Motif) -> _Motif:
    """Its first half, said twice, the second time turned upside down."""
    half = max(1, len(motif.rhythm) // 2)
    end = motif.rhythm[half][0] if half < len(motif.rhythm) else motif.rhythm[-1][0] + motif.rhythm[-1][1]
    first = motif.rhythm[:half]
    again = tuple((start + end, length) for start, length in first if start + end < _end(motif))
    flipped = tuple(-step for step in motif.steps[:half])[: len(again)]
    return _Motif(first + again, motif.steps[:half] + flipped)


def _end(motif: _Motif) -> float:
    return motif.rhythm[-1][0] + motif.rhythm[-1][1]


def _sing(motif: _Motif, chord: Chord, place: int, span: int) -> list[Tone]:
    tones = []
    for (start, beats), step in zip(motif.rhythm, motif.steps, strict=True):
        place = _within(place + step, span)
        strong = start % 2 == 0 or beats >= 1.0
        place = _chord_tone(chord, place) if strong else _allowed(chord.mode, place, step)
        tones.append(Tone(start, beats * 0.92, place, 0.85 if strong else 0.66))
    return tones


def _rest(rng: Rng, motif: _Motif, chord: Chord, place: int, beats_in_bar: int) -> list[Tone]:
    """A cadence: a step or two of the motif, then a long chord tone and silence to breathe in."""
    lead_in = 1.0 if len(motif.rhythm) > 2 and rng.random() < 0.6 else 0.0
    tones = []
    if lead_in:
        passing = _allowed(chord.mode, place + int(rng.choice([-1, 1])), 1)
        tones.append(Tone(0.0, 0.92, passing, 0.7))
        place = passing
    target = _chord_tone(chord, place)
    tones.append(Tone(lead_in, (beats_in_bar - lead_in) * 0.72, target, 0.8))
    return tones


def _within(degree: int, span: int) -> int:
    """Bounce off the ends of the range around the tonic's third."""
    if degree > span + 2:
        return 2 * (span + 2) - degree
    if degree < 1 - span + 2:
        return 2 * (3 - span) - degree
    return degree


def _chord_tone(chord: Chord, degree: int) -> int:
    for distance in (0, 1, -1, 2, -2, 3):
        if (degree + distance - chord.degree) % 7 in (0, 2, 4) and singable(chord.mode, degree + distance):
            return degree + distance
    return degree


def _allowed(mode: str, degree: int, step: int) -> int:
    while not singable(mode, degree):
        degree += 1 if step >= 0 else -1
    return degree
