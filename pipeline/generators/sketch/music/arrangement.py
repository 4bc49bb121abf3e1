"""Arrangement: which parts play in which section of a cue, and the short gestures of stingers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.generators.sketch.dsp.units import RATE, Rng, generator
from pipeline.generators.sketch.music import drums, parts, theory
from pipeline.generators.sketch.music.instruments import INSTRUMENTS, in_range
from pipeline.generators.sketch.music.parts import Section
from pipeline.generators.sketch.music.reading import MusicReading
from pipeline.generators.sketch.music.score import Hit, Note, Score, Timing

_SECTION = 4
"""Bars in a section."""
_MACHINES = frozenset({"electronic", "chiptune"})


_WHOLE = Section(True, True, "full")
_OPENING = Section(False, True, "light")
_BREATHING = Section(True, False, "none")
_DRIVING = Section(False, True, "full")


def arrange(reading: MusicReading, timing: Timing, loop: bool, rng: Rng) -> Score:
    """Write the piece: chords, the parts of each section, and an ending unless it loops."""
    tonic = tonic_of(reading)
    colour = reading.style in ("jazz", "ambient", "piano", "electronic") or reading.mode == "lydian"
    chords = theory.progression(rng, reading.mode, tonic, timing.bars, colour, not loop)
    bars = _bars(chords, timing.beats_in_bar, reading.energy)
    score = Score(
        swing=0.13 if reading.style == "jazz" else 0.0,
        looseness_s=0.0005 if reading.style in _MACHINES else 0.005,
    )
    _write_harmony(score, reading, bars, rng)
    if reading.lead:
        _write_lead(score, reading, reading.lead, bars, rng)
    if reading.kit != "none":
        _write_drums(score, reading, bars, rng)
    if not loop:
        _write_ending(score, reading, chords[-1], timing)
    return score


def tonic_of(reading: MusicReading) -> int:
    """The key, from the words alone: variations of an asset share it and can be crossfaded."""
    return int(generator(reading.fingerprint, 0x70).integers(12))


def _form(bars: int, energy: float) -> list[Section]:
    """The section of each bar."""
    if bars <= _SECTION:
        return [_WHOLE] * bars
    wild = energy > 0.6
    cycle = (_OPENING, _WHOLE, _WHOLE, _DRIVING if wild else _BREATHING)
    form = [cycle[bar // _SECTION % 4] for bar in range(bars)]
    return [_DRIVING] * _SECTION + form[_SECTION:] if wild else form


def _bars(chords: list[theory.Chord], beats: int, energy: float) -> list[parts.Bar]:
    out = []
    for k, (chord, section) in enumerate(zip(chords, _form(len(chords), energy), strict=True)):
        lift = 0.05 * (k // _SECTION % 4) - (0.12 if section.drums == "none" else 0.0)
        after = chords[(k + 1) % len(chords)]
        level = float(np.clip(energy + lift, 0.02, 1.0))
        out.append(parts.Bar(float(k * beats), beats, chord, after, level, section))
    return out


def _write_harmony(score: Score, reading: MusicReading, bars: list[parts.Bar], rng: Rng) -> None:
    if reading.pad:
        score.notes += parts.pad_notes(reading.pad, bars)
    if reading.comp:
        play = parts.comp_pattern(rng, reading.comp, reading.energy)
        score.notes += [note for bar in bars for note in play(bar)]
    if reading.bass:
        for bar in bars:
            if bar.section.bass:
                score.notes += parts.bass_notes(reading.bass, bar, reading.style)


def _write_lead(score: Score, reading: MusicReading, lead: str, bars: list[parts.Bar], rng: Rng) -> None:
    instrument = INSTRUMENTS[lead]
    tones = parts.tune(rng, bars, 0.15 + 0.6 * reading.energy)
    tonic = theory.nearest(tonic_of(reading), min(72, (instrument.low + instrument.high) / 2 - 4))
    for tone in tones:
        bar = int(tone.start // bars[0].beats)
        if not bars[bar].section.lead or (reading.style == "horror" and bar % 2):
            continue
        note = in_range(lead, tonic + theory.pitch(reading.mode, tone.degree))
        score.notes.append(Note(lead, tone.start, tone.beats, note, tone.velocity, 1.0))


def _write_drums(score: Score, reading: MusicReading, bars: list[parts.Bar], rng: Rng) -> None:
    kit, energy = reading.kit, reading.energy
    for k, bar in enumerate(bars):
        if bar.section.drums == "none":
            continue
        ends = k % _SECTION == _SECTION - 1 or k == len(bars) - 1
        filling = ends and len(bars) > 2 and energy > 0.25
        length = (2.0 if energy > 0.6 else 1.0) if filling else 0.0
        pattern = drums.groove(kit, energy, bar.section.drums == "light")
        score.hits += drums.bar_of(pattern, bar.start, bar.beats, bar.beats - length)
        if filling:
            score.hits += drums.fill(rng, kit, bar.start + bar.beats - length, length, energy)
        if kit in drums.CRASHING and k % _SECTION == 0 and energy > 0.5:
            score.hits.append(Hit("crash", bar.start, 0.7))


def _write_ending(score: Score, reading: MusicReading, chord: theory.Chord, timing: Timing) -> None:
    """All parts play the tonic on the beat after the last bar."""
    start = float(timing.bars * timing.beats_in_bar)
    home = chord._replace(degree=0)
    ring = max(2.0, (timing.n / 48_000 - start * timing.beat) / timing.beat)
    for player in (reading.pad, reading.comp):
        if player:
            instrument = INSTRUMENTS[player]
            for k, tone in enumerate(theory.voicing(home, (), 62, 4)):
                target = float(np.clip(tone, instrument.low + 6, instrument.high - 6))
                pitch = theory.nearest(tone % 12, target)
                score.notes.append(Note(player, start + 0.04 * k, ring, pitch, 0.75, -1.5 * k))
    if reading.bass:
        score.notes.append(Note(reading.bass, start, ring, theory.nearest(home.root, 38), 0.85))
    if reading.lead:
        instrument = INSTRUMENTS[reading.lead]
        middle = min(72.0, (instrument.low + instrument.high) / 2)
        score.notes.append(Note(reading.lead, start, min(ring, 4.0), theory.nearest(home.root, middle), 0.75))
    if reading.kit != "none" and reading.energy > 0.3:
        first = next(iter(drums.groove(reading.kit, reading.energy)))
        score.hits += [Hit(first, start, 0.9)] + ([Hit("crash", start, 0.7)] if reading.energy > 0.5 else [])


GESTURE_MODES = {"success": "major", "failure": "minor", "discovery": "lydian", "danger": "chromatic"}
"""The mode of each gesture; the words of the prompt do not change it."""


@dataclass(frozen=True)
class _Gesture:
    """A stinger as it is written: its key, its length in beats, the beat of its last chord, and its score."""

    reading: MusicReading
    tonic: int
    beats: float
    arrival: float
    score: Score

    @property
    def lead(self) -> str:
        """Who carries the melody."""
        return self.reading.lead or self.reading.comp or "bells"

    @property
    def pad(self) -> str:
        """Who holds the chord."""
        return self.reading.pad or "strings"

    @property
    def bass(self) -> str:
        """Who plays the root."""
        return self.reading.bass or "contrabass"

    def chord(self, player: str, start: float, beats: float, tones: list[int], velocity: float) -> None:
        """Add held notes, spread over the stereo field, each softer than the one below."""
        for k, tone in enumerate(tones):
            pan, pitch = (-0.3, 0.3, -0.1, 0.1)[k % 4], in_range(player, tone)
            self.score.notes.append(Note(player, start, beats, pitch, velocity, -1.2 * k, pan))

    def run(self, player: str, start: float, end: float, tones: list[int], rise: float) -> None:
        """Add even notes from ``start`` to ``end`` that grow louder (or softer)."""
        step = (end - start) / max(1, len(tones))
        shift = in_range(player, round(sum(tones) / len(tones))) - round(sum(tones) / len(tones))
        for k, tone in enumerate(tones):
            level = min(0.95, max(0.3, 0.6 + rise * (k / len(tones) - 0.3)))
            self.chord(player, start + k * step, max(step * 1.1, 0.2), [tone + shift], level)


def stinger(reading: MusicReading, timing: Timing, rng: Rng) -> Score:
    """The score of a stinger; everything fits its length and the last chord rings out."""
    beats = timing.n / RATE / timing.beat
    score = Score(looseness_s=0.003)
    gesture = _Gesture(reading, theory.nearest(tonic_of(reading), 60), beats, _arrival(beats), score)
    _WRITERS[reading.stinger or "discovery"](gesture, rng)
    return score


def _arrival(beats: float) -> float:
    """The beat of the last chord: the half beat nearest to 42 % of the length, at most 3."""
    return float(np.clip(round(beats * 0.42 * 2) / 2, 0.5, 3.0)) if beats > 1.5 else beats * 0.4


def _success(gesture: _Gesture, rng: Rng) -> None:
    """Up the triad with a dotted lilt into a bright held chord."""
    tonic, end = gesture.tonic, gesture.arrival
    lines = ([0, 4, 7, 12], [7, 7, 7, 12], [0, 7, 4, 7, 12], [0, 2, 4, 7])
    line = [tonic + step for step in lines[int(rng.integers(len(lines)))]]
    gesture.run(gesture.lead, 0.0, end, line, 0.6)
    ring = gesture.beats - end
    gesture.chord(gesture.lead, end, ring * 0.7, [tonic + 12, tonic + 16], 0.9)
    gesture.chord(gesture.pad, end, ring, [tonic, tonic + 4, tonic + 7, tonic + 12], 0.85)
    gesture.chord("harp" if gesture.reading.style != "chiptune" else "chip arp", 0.0, end, [tonic + 12], 0.5)
    gesture.run("glockenspiel", end, end + min(1.0, ring * 0.4), [tonic + s for s in (12, 16, 19, 24)], 0.2)
    gesture.chord(gesture.bass, end, ring * 0.8, [tonic - 24], 0.85)
    if gesture.reading.style != "chiptune":
        gesture.score.hits += [Hit("timpani", 0.0, 0.6), Hit("timpani", end, 0.95), Hit("crash", end, 0.7)]


def _failure(gesture: _Gesture, rng: Rng) -> None:
    """Down the minor scale, slower and softer, onto a low minor chord."""
    tonic, end = gesture.tonic, gesture.arrival
    lines = ([12, 10, 8, 7], [7, 6, 5, 3], [12, 8, 7, 3], [10, 8, 7, 5])
    line = [tonic + step for step in lines[int(rng.integers(len(lines)))]]
    gesture.run(gesture.lead, 0.0, end, line, -0.5)
    ring = gesture.beats - end
    gesture.chord(gesture.lead, end, ring * 0.6, [tonic], 0.55)
    gesture.chord(gesture.pad, 0.0, end, [tonic - 4, tonic, tonic + 3], 0.5)
    gesture.chord(gesture.pad, end, ring, [tonic - 12, tonic - 5, tonic + 3], 0.6)
    gesture.chord(gesture.bass, end, ring, [tonic - 24], 0.7)
    if gesture.reading.style != "chiptune":
        gesture.score.hits += [Hit("boom", end, 0.7)]


def _discovery(gesture: _Gesture, rng: Rng) -> None:
    """A rising glissando in the lydian mode that opens into a shimmering chord."""
    tonic, end = gesture.tonic, gesture.arrival
    scale = [tonic + theory.pitch("lydian", degree) for degree in range(0, 15)]
    first = int(rng.integers(0, 3))
    count = max(4, min(12, round(end * 4)))
    comp = gesture.reading.comp
    player = comp if comp in ("celesta", "music box", "chip arp", "koto") else "harp"
    gesture.run(player, 0.0, end, scale[first : first + count], 0.4)
    ring = gesture.beats - end
    chord = [tonic, tonic + 7, tonic + 11, tonic + 18]
    gesture.chord(gesture.pad, end * 0.5, ring + end * 0.5, chord, 0.6)
    gesture.chord("celesta", end, ring * 0.8, [tonic + 19, tonic + 23], 0.6)
    sparkle = [tonic + 24 + step for step in rng.permutation([0, 4, 7, 11, 6])[:4]]
    gesture.run("glockenspiel", end + 0.25, end + max(0.6, ring * 0.45), [int(s) for s in sparkle], -0.3)
    gesture.chord(gesture.lead, end, ring * 0.6, [tonic + 12], 0.55)


def _danger(gesture: _Gesture, rng: Rng) -> None:
    """A low blow, a cluster that swells out of it, and a last hit."""
    tonic = gesture.tonic - 12
    ring = gesture.beats
    second = min(gesture.beats * 0.55, max(0.75, gesture.arrival))
    gesture.chord("brass", 0.0, min(1.0, ring * 0.25), [tonic, tonic + 6, tonic + 12], 0.95)
    gesture.chord("tremolo strings", 0.0, ring * 0.95, [tonic + 12, tonic + 13, tonic + 18, tonic + 24], 0.8)
    gesture.chord("contrabass", 0.0, ring * 0.9, [tonic - 12], 0.95)
    gesture.chord("brass", second, ring - second, [tonic + 1, tonic + 7, tonic + 13], 0.95)
    gesture.chord("dark drone", 0.0, ring, [tonic - 12, tonic - 11 + int(rng.integers(2))], 0.7)
    gesture.score.hits += [Hit("boom", 0.0, 0.95), Hit("taiko", 0.0, 0.95)]
    gesture.score.hits += [Hit("taiko", second, 0.95), Hit("boom", second, 0.8), Hit("crash", second, 0.5)]
    upbeats = [(second - 0.25 * k, 0.8 - 0.1 * k) for k in range(1, 4)]
    gesture.score.hits += [Hit("taiko high", start, velocity) for start, velocity in upbeats if start > 0.3]


_WRITERS: dict[str, Callable[[_Gesture, Rng], None]] = {
    "success": _success,
    "failure": _failure,
    "discovery": _discovery,
    "danger": _danger,
}
