"""Scales, chord progressions and voicings. Degrees count from 0; pitches are MIDI notes."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.generators.sketch.dsp.units import Rng

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "phrygian dominant": (0, 1, 4, 5, 7, 8, 10),
    "pentatonic": (0, 2, 4, 5, 7, 9, 11),
    "japanese": (0, 1, 3, 5, 7, 8, 10),
}

_MELODY_LEAVES_OUT: dict[str, tuple[int, ...]] = {"pentatonic": (3, 6), "japanese": (2, 6)}
"""Scale degrees that melodies in five-note modes leave out; chords use them."""

_PROGRESSIONS: dict[str, tuple[tuple[int, ...], ...]] = {
    "major": ((0, 4, 5, 3), (0, 3, 0, 4), (0, 5, 3, 4), (0, 2, 3, 4), (3, 4, 0, 5), (0, 1, 3, 4)),
    "lydian": ((0, 1, 0, 4), (0, 1, 5, 4), (0, 4, 1, 0), (0, 2, 1, 4)),
    "mixolydian": ((0, 6, 3, 0), (0, 3, 6, 3), (0, 4, 6, 3), (0, 6, 0, 3)),
    "dorian": ((0, 3, 0, 6), (0, 3, 6, 3), (0, 6, 3, 0), (0, 2, 3, 6)),
    "minor": ((0, 5, 2, 6), (0, 3, 5, 6), (0, 5, 3, 6), (0, 6, 5, 6), (0, 2, 5, 6), (0, 3, 0, 6)),
    "phrygian": ((0, 1, 0, 6), (0, 1, 3, 1), (0, 5, 1, 0), (0, 3, 1, 0)),
    "harmonic minor": ((0, 3, 4, 0), (0, 5, 3, 4), (0, 3, 0, 4), (0, 4, 5, 4)),
    "phrygian dominant": ((0, 1, 0, 6), (0, 1, 3, 0), (0, 0, 1, 0), (0, 6, 1, 0)),
    "pentatonic": ((0, 5, 3, 4), (0, 3, 5, 4), (0, 4, 1, 3), (5, 3, 0, 4)),
    "japanese": ((0, 3, 0, 1), (0, 1, 3, 0), (0, 5, 1, 0)),
}

_LEADS_HOME = {"major": 4, "lydian": 4, "harmonic minor": 4, "pentatonic": 4}
"""The degree before a return to the tonic; the flattened seventh or second elsewhere."""
_DARK_TURN = {"phrygian": 1, "phrygian dominant": 1, "japanese": 1}


class Chord(NamedTuple):
    """A chord on a degree of a scale over a tonic (MIDI pitch class 0 to 11)."""

    degree: int
    tonic: int
    mode: str
    colour: bool = False
    """Adds the seventh or ninth."""

    @property
    def root(self) -> int:
        """Pitch class of the root."""
        return (self.tonic + pitch(self.mode, self.degree)) % 12

    @property
    def degrees(self) -> tuple[int, ...]:
        """Scale degrees of its tones, root first."""
        tones = (self.degree, self.degree + 2, self.degree + 4)
        return (*tones, self.degree + (8 if self.degree % 7 in (0, 3) else 6)) if self.colour else tones

    @property
    def classes(self) -> tuple[int, ...]:
        """Pitch classes of its tones, root first."""
        return tuple((self.tonic + pitch(self.mode, degree)) % 12 for degree in self.degrees)


def pitch(mode: str, degree: int) -> int:
    """Semitones above the tonic of a scale degree, in any octave.

    >>> pitch("major", 9), pitch("major", -1)
    (16, -1)
    """
    octave, step = divmod(degree, 7)
    return 12 * octave + SCALES[mode][step]


def singable(mode: str, degree: int) -> bool:
    """Whether a melody in this mode uses the degree."""
    return degree % 7 not in _MELODY_LEAVES_OUT.get(mode, ())


def progression(rng: Rng, mode: str, tonic: int, bars: int, colour: bool, closing: bool) -> list[Chord]:
    """One chord a bar: phrases of four in the form A A B A; the last bar leads back to the tonic.

    ``closing`` says that the piece ends here: it then ends on the tonic.
    """
    choices = _PROGRESSIONS[mode]
    first = int(rng.integers(len(choices)))
    second = (first + 1 + int(rng.integers(max(1, len(choices) - 1)))) % len(choices)
    form = (choices[first], choices[first], choices[second], choices[first])
    degrees = [form[(bar // 4) % 4][bar % 4] for bar in range(bars)]
    if bars > 1:
        degrees[-1] = 0 if closing else _LEADS_HOME.get(mode, _DARK_TURN.get(mode, 6))
    if closing and bars > 2:
        degrees[-2] = _LEADS_HOME.get(mode, _DARK_TURN.get(mode, 6))
    return [Chord(degree, tonic, mode, colour) for degree in degrees]


def voicing(chord: Chord, before: tuple[int, ...], centre: int, voices: int) -> tuple[int, ...]:
    """The chord's tones around ``centre`` that move least from the chord ``before``, low to high."""
    classes = [chord.classes[k % len(chord.classes)] for k in range(voices)]
    best: tuple[int, ...] = ()
    least = 1e9
    for turn in range(len(chord.classes)):
        notes: list[int] = []
        floor = centre - 7
        for k in range(voices):
            note = floor + (classes[(k + turn) % voices] - floor) % 12
            notes.append(note)
            floor = note + 1
        moved = sum(abs(a - b) for a, b in zip(notes, before, strict=False)) if before else 0
        cost = moved + 0.8 * abs(sum(notes) / voices - centre)
        if cost < least:
            best, least = tuple(notes), cost
    return best


def nearest(pitch_class: int, target: float) -> int:
    """The MIDI note of a pitch class that lies closest to ``target``.

    >>> nearest(0, 61.0)
    60
    """
    return round((target - pitch_class) / 12.0) * 12 + pitch_class
