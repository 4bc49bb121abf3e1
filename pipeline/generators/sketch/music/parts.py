"""The parts of a piece: the tune, and what comping instruments, pads and basses play over a chord."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.generators.sketch.dsp.units import Rng
from pipeline.generators.sketch.music.instruments import INSTRUMENTS, in_range
from pipeline.generators.sketch.music.score import Note
from pipeline.generators.sketch.music.theory import Chord, nearest, singable, voicing

_BEAT_CELLS: tuple[tuple[float, tuple[float, ...]], ...] = (
    (0.0, (1.0,)),
    (0.35, (0.5, 0.5)),
    (0.45, (0.75, 0.25)),
    (0.6, (0.5, 0.25, 0.25)),
    (0.9, (0.25, 0.25, 0.5)),
)
"""Rhythms of one beat, each with the liveliness (0 to 1) that it suits best."""


class Section(NamedTuple):
    """The parts that play in a section of four bars, besides pads and accompaniment, which always do."""

    lead: bool
    bass: bool
    drums: str
    """``none``, ``light`` or ``full``."""


class Bar(NamedTuple):
    """One bar to accompany: its first beat, its length in beats, its chord and the one after."""

    start: float
    beats: int
    chord: Chord
    after: Chord
    energy: float
    section: Section


class Tone(NamedTuple):
    """A melody note: start and length in beats from the tune's start, scale degree, loudness 0 to 1."""

    start: float
    beats: float
    degree: int
    velocity: float


_Motif = tuple[tuple[float, float, int], ...]
"""Each note's start and length in beats, and its scale steps from the note before (0 for the first)."""


def tune(rng: Rng, bars: list[Bar], liveliness: float) -> list[Tone]:
    """A melody over the chords of ``bars``, in phrases of four. ``liveliness`` (0 to 1) makes it busier."""
    main, other = (_motif(rng, bars[0].beats, liveliness) for _ in range(2))
    place = int(rng.integers(1, 4))
    out: list[Tone] = []
    for k, bar in enumerate(bars):
        where = k % 4 if len(bars) - k > 1 else 3
        motif = (main, main, other if (k // 4) % 2 else _fragment(main), main)[where]
        out += _rest(rng, motif, bar, place) if where == 3 else _sing(motif, bar, place)
        place = out[-1].degree
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
    steps = _contour(rng, len(rhythm))
    return tuple((start, length, step) for (start, length), step in zip(rhythm, steps, strict=True))


def _contour(rng: Rng, count: int) -> list[int]:
    """Scale steps, with at most one leap, after which the line turns back."""
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
    return steps


def _fragment(motif: _Motif) -> _Motif:
    """The first half of the motif, then the same inverted."""
    half = max(1, len(motif) // 2)
    whole = motif[-1][0] + motif[-1][1]
    end = motif[half][0] if half < len(motif) else whole
    again = [(start + end, length, -step) for start, length, step in motif[:half] if start + end < whole]
    return (*motif[:half], *again)


def _sing(motif: _Motif, bar: Bar, place: int) -> list[Tone]:
    tones = []
    for start, beats, step in motif:
        place = _within(place + step)
        strong = start % 2 == 0 or beats >= 1.0
        place = _chord_tone(bar.chord, place) if strong else _allowed(bar.chord.mode, place, step)
        tones.append(Tone(bar.start + start, beats * 0.92, place, 0.85 if strong else 0.66))
    return tones


def _rest(rng: Rng, motif: _Motif, bar: Bar, place: int) -> list[Tone]:
    """A cadence: perhaps a passing tone, then a long chord tone and a rest."""
    lead_in = 1.0 if len(motif) > 2 and rng.random() < 0.6 else 0.0
    tones = []
    if lead_in:
        place = _allowed(bar.chord.mode, place + int(rng.choice([-1, 1])), 1)
        tones.append(Tone(bar.start, 0.92, place, 0.7))
    tones.append(Tone(bar.start + lead_in, (bar.beats - lead_in) * 0.72, _chord_tone(bar.chord, place), 0.8))
    return tones


def _within(degree: int) -> int:
    """Reflect a degree that leaves the range -3 to 8 around the tonic's third."""
    return 16 - degree if degree > 8 else -6 - degree if degree < -3 else degree


def _chord_tone(chord: Chord, degree: int) -> int:
    for distance in (0, 1, -1, 2, -2, 3):
        if (degree + distance - chord.degree) % 7 in (0, 2, 4) and singable(chord.mode, degree + distance):
            return degree + distance
    return degree


def _allowed(mode: str, degree: int, step: int) -> int:
    while not singable(mode, degree):
        degree += 1 if step >= 0 else -1
    return degree


_CHORDAL = frozenset({"electric piano", "accordion", "organ"})
_LONG_BASSES = frozenset({"contrabass", "sub bass"})


def comp_pattern(rng: Rng, player: str, energy: float) -> Callable[[Bar], list[Note]]:
    """How the comping instrument plays a bar; chosen once a piece."""
    shape = int(rng.integers(4))
    own = {"power guitar": _chug, "staccato strings": _ostinato, **dict.fromkeys(_CHORDAL, _stabs)}
    write = _sparse if player == "bells" and energy < 0.35 else own.get(player, _arpeggio)
    return lambda bar: write(player, bar, shape)


_ARPEGGIOS = ("02132132", "01234321", "02314231", "03120423")
"""Steps of the ladder of chord tones, an eighth each, root at 0."""


def _arpeggio(player: str, bar: Bar, shape: int) -> list[Note]:
    """Broken chords: the root at the bottom on the beat, inner tones above it."""
    centre = 60 if INSTRUMENTS[player].low < 55 else 72
    tones = voicing(bar.chord, (), centre, 4)
    ladder = (nearest(bar.chord.root, centre - 12), *tones)
    quick = player in ("synth arp", "chip arp")
    step = 0.25 if bar.energy > (0.45 if quick else 0.8) else 0.5 if bar.energy > 0.12 else 1.0
    order = _ARPEGGIOS[shape]
    notes = []
    for k in range(int(bar.beats / step)):
        if step == 0.5 and bar.energy < 0.3 and k in (3, 7) and shape % 2:
            continue
        accent = 0.78 if k * step % 2 == 0 else 0.62 if k * step % 1 == 0 else 0.5
        length = 0.3 if quick else max(step, 1.5 if k == 0 else 1.0)
        pitch = in_range(player, ladder[int(order[k % 8])])
        notes.append(Note(player, bar.start + k * step, length, pitch, accent))
    return notes


def _sparse(player: str, bar: Bar, shape: int) -> list[Note]:
    """One or two high notes, off the beat."""
    tones = voicing(bar.chord, (), 79, 3)
    spots = ((0.5,), (1.5, 2.0), (2.5,), (0.0, 3.5))[(shape + int(bar.start / bar.beats)) % 4]
    return [Note(player, bar.start + at, 3.0, in_range(player, tones[k]), 0.5) for k, at in enumerate(spots)]


_STABS = (
    ((0.0, 1.4), (1.5, 0.9), (3.0, 0.7)),
    ((0.5, 0.9), (2.0, 1.3), (3.5, 0.5)),
    ((0.0, 2.4), (2.5, 1.2)),
    ((1.0, 0.4), (2.0, 0.4), (3.0, 0.4)),
)


def _stabs(player: str, bar: Bar, shape: int) -> list[Note]:
    """Whole chords in a syncopated rhythm; in a waltz, on beats two and three."""
    tones = voicing(bar.chord, (), 62, 4)
    rhythm = ((1.0, 0.5), (2.0, 0.5)) if bar.beats == 3 else _STABS[2 if bar.energy < 0.25 else shape]
    return [
        Note(player, bar.start + at, length, in_range(player, tone), 0.55 + 0.12 * (at == 0), -4.0)
        for at, length in rhythm
        if at < bar.beats
        for tone in tones
    ]


_CHUGS = ("x.o.x.o.x.o.x.o.", "x.oox.oox.oox.oo", "x..x..x.x..x..xo", "x...x.x...x.x...")


def _chug(player: str, bar: Bar, shape: int) -> list[Note]:
    """Palm-muted power chords: accents ring, the rest are cut short."""
    root = in_range(player, nearest(bar.chord.root, 43))
    steps = _CHUGS[shape] if bar.energy > 0.6 else _CHUGS[3]
    return [
        Note(player, bar.start + k / 4, 0.45 if mark == "x" else 0.18, root, 0.9 if mark == "x" else 0.6)
        for k, mark in enumerate(steps[: 4 * bar.beats])
        if mark != "."
    ]


_OSTINATI = ("00200320", "02120212", "00020012", "03231323")


def _ostinato(player: str, bar: Bar, shape: int) -> list[Note]:
    """Driving short notes around the root: eighths, or sixteenths at full energy, doubled an octave up."""
    root = nearest(bar.chord.root, 48)
    third, fifth = (root + (pc - bar.chord.root) % 12 for pc in bar.chord.classes[1:3])
    ladder = (root, third, fifth, root + 12)
    step = 0.25 if bar.energy > 0.86 else 0.5
    notes = []
    for k in range(int(bar.beats / step)):
        at, length, accent = bar.start + k * step, step * 0.6, 0.92 if k * step % 1 == 0 else 0.6
        tone = ladder[int(_OSTINATI[shape][k % 8])]
        notes.append(Note(player, at, length, in_range(player, tone), accent))
        notes.append(Note(player, at, length, in_range(player, tone + 12), accent * 0.8, -6.0, 0.2))
    return notes


def pad_notes(player: str, bars: list[Bar]) -> list[Note]:
    """Sustained chords with the least motion between them; a repeated chord is not struck again."""
    notes: list[Note] = []
    before: tuple[int, ...] = ()
    k = 0
    while k < len(bars):
        bar = bars[k]
        held = [*(other.chord == bar.chord for other in bars[k : k + 4]), False].index(False)
        beats, velocity = float(bar.beats * held), 0.5 + 0.3 * bar.energy
        for at, tone in enumerate(_pad_tones(player, bar.chord, before)):
            pan = (-0.25, 0.2, -0.1, 0.25)[at % 4]
            notes.append(Note(player, bar.start, beats, in_range(player, tone), velocity, -1.5 * at, pan))
        before = voicing(bar.chord, before, 62, 4)
        k += held
    return notes


def _pad_tones(player: str, chord: Chord, before: tuple[int, ...]) -> tuple[int, ...]:
    """The chord's voicing; drones hold the tonic and its fifth instead and add the root."""
    if player in ("dark drone", "drone strings"):
        tonic = nearest(chord.tonic, 41)
        colour = nearest(chord.root, 53)
        return (tonic, tonic + 7, colour) if colour % 12 != (tonic + 6) % 12 else (tonic, colour)
    return voicing(chord, before, 62, 4)


def bass_notes(player: str, bar: Bar, style: str) -> list[Note]:
    """The bass of one bar: sustained, walking or in eighths, by instrument, style and energy."""
    low = 45 if player == "chip bass" else 38
    root = in_range(player, nearest(bar.chord.root, low))
    fifth = in_range(player, root + (bar.chord.classes[2] - bar.chord.root) % 12)
    if player in _LONG_BASSES:
        return _long_bass(player, bar, root)
    if style == "jazz" and bar.energy > 0.3 and bar.beats == 4:
        return _walk(player, bar, root)
    if player in ("synth bass", "chip bass", "electric bass") and bar.energy > 0.4:
        return _pulse(player, bar, root, style)
    if bar.beats == 3:
        return [Note(player, bar.start, 2.0, root, 0.8)]
    second = [Note(player, bar.start + 2.0, 1.6, fifth, 0.62)] if bar.energy > 0.15 else []
    pick_up = [Note(player, bar.start + 3.5, 0.5, root, 0.5)] if bar.energy > 0.5 else []
    return [Note(player, bar.start, 1.9 if second else 3.6, root, 0.8), *second, *pick_up]


def _long_bass(player: str, bar: Bar, root: int) -> list[Note]:
    if bar.energy < 0.6:
        return [Note(player, bar.start, bar.beats * 0.98, root, 0.7)]
    return [
        Note(player, bar.start + at, length, root, 0.85)
        for at, length in ((0.0, 1.4), (1.5, 0.45), (2.0, 1.4), (3.5, 0.45))
        if at < bar.beats
    ]


def _walk(player: str, bar: Bar, root: int) -> list[Note]:
    """Root, two chord tones, and a half step that leads into the next root."""
    target = in_range(player, nearest(bar.after.root, root))
    third = root + (bar.chord.classes[1] - bar.chord.root) % 12
    fifth = root + (bar.chord.classes[2] - bar.chord.root) % 12
    approach = target + (1 if target < fifth else -1)
    line = (root, third, fifth, approach)
    return [
        Note(player, bar.start + k, 0.92, in_range(player, note), 0.8 if k == 0 else 0.66)
        for k, note in enumerate(line)
    ]


def _pulse(player: str, bar: Bar, root: int, style: str) -> list[Note]:
    """Eighths on the root. A synth bass leaves beats to the kick; synth and chip basses leap octaves."""
    notes = []
    for k in range(bar.beats * 2):
        if player == "synth bass" and style == "electronic" and k % 2 == 0 and bar.energy > 0.7 and k:
            continue
        octave = 12 if k % 2 and player in ("chip bass", "synth bass") else 0
        pitch = in_range(player, root + octave)
        notes.append(Note(player, bar.start + k / 2, 0.42, pitch, 0.85 if k % 4 == 0 else 0.65))
    return notes
