"""Scales, chord progressions and voicings. Degrees count from 0; pitches are MIDI notes."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.generators.sketch.dsp.units import Rng


class Mode(NamedTuple):
    """A scale, and how chords and melodies use it."""

    scale: tuple[int, ...]
    """Semitones of its degrees above the tonic."""
    progressions: str
    """Phrases of four chords: the degree of each root."""
    leading: int = 6
    """The degree before a return to the tonic."""
    unsung: tuple[int, ...] = ()
    """Degrees that melodies leave out; chords use them."""


MODES: dict[str, Mode] = {
    "major": Mode((0, 2, 4, 5, 7, 9, 11), "0453 0304 0534 0234 3405 0134", 4),
    "lydian": Mode((0, 2, 4, 6, 7, 9, 11), "0104 0154 0410 0214", 4),
    "mixolydian": Mode((0, 2, 4, 5, 7, 9, 10), "0630 0363 0463 0603"),
    "dorian": Mode((0, 2, 3, 5, 7, 9, 10), "0306 0363 0630 0236"),
    "minor": Mode((0, 2, 3, 5, 7, 8, 10), "0526 0356 0536 0656 0256 0306"),
    "phrygian": Mode((0, 1, 3, 5, 7, 8, 10), "0106 0131 0510 0310", 1),
    "harmonic minor": Mode((0, 2, 3, 5, 7, 8, 11), "0340 0534 0304 0454", 4),
    "phrygian dominant": Mode((0, 1, 4, 5, 7, 8, 10), "0106 0130 0010 0610", 1),
    "pentatonic": Mode((0, 2, 4, 5, 7, 9, 11), "0534 0354 0413 5304", 4, (3, 6)),
    "japanese": Mode((0, 1, 3, 5, 7, 8, 10), "0301 0130 0510", 1, (2, 6)),
}


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
    return 12 * octave + MODES[mode].scale[step]


def singable(mode: str, degree: int) -> bool:
    """Whether a melody in this mode uses the degree."""
    return degree % 7 not in MODES[mode].unsung


def progression(rng: Rng, mode: str, tonic: int, bars: int, colour: bool, closing: bool) -> list[Chord]:
    """One chord a bar: phrases of four in the form A A B A; the last bar leads back to the tonic.

    ``closing`` says that the piece ends here: it then ends on the tonic.
    """
    choices = MODES[mode].progressions.split()
    first = int(rng.integers(len(choices)))
    second = (first + 1 + int(rng.integers(max(1, len(choices) - 1)))) % len(choices)
    form = (choices[first], choices[first], choices[second], choices[first])
    degrees = [int(form[(bar // 4) % 4][bar % 4]) for bar in range(bars)]
    if bars > 1:
        degrees[-1] = 0 if closing else MODES[mode].leading
    if closing and bars > 2:
        degrees[-2] = MODES[mode].leading
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
