"""Arrangement: which parts play when, so that a cue grows, breathes and comes round again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.generators.sketch.dsp.units import Rng, generator
from pipeline.generators.sketch.music import accompany, grooves, melody, theory
from pipeline.generators.sketch.music.instruments import INSTRUMENTS, in_range
from pipeline.generators.sketch.music.score import Hit, Note, Score
from pipeline.generators.sketch.music.timing import Timing
from pipeline.generators.sketch.music_reading import MusicReading

_SECTION = 4
"""Bars in a section."""
_MACHINES = frozenset({"electronic", "chiptune"})


@dataclass(frozen=True)
class _Section:
    """Who plays in four bars."""

    lead: bool
    comp: bool
    bass: bool
    drums: str
    """``none``, ``light`` or ``full``."""


_WHOLE = _Section(True, True, True, "full")
_OPENING = _Section(False, True, True, "light")
_BREATHING = _Section(True, True, False, "none")
_DRIVING = _Section(False, True, True, "full")


def arrange(reading: MusicReading, timing: Timing, loop: bool, rng: Rng) -> Score:
    """Write the piece: harmony, then parts by section, then, unless it loops, an ending."""
    tonic = tonic_of(reading)
    colour = reading.style in ("jazz", "ambient", "piano", "electronic") or reading.mode == "lydian"
    chords = theory.progression(rng, reading.mode, tonic, timing.bars, colour, not loop)
    sections = _form(timing.bars, reading.energy)
    bars = _bars(chords, sections, timing, reading.energy)
    score = Score(
        swing=0.13 if reading.style == "jazz" else 0.0,
        looseness_s=0.0005 if reading.style in _MACHINES else 0.005,
    )
    _write_harmony(score, reading, bars, sections, rng)
    _write_lead(score, reading, chords, sections, timing, rng)
    _write_drums(score, reading, sections, timing, rng)
    if not loop:
        _write_ending(score, reading, chords[-1], timing)
    return score


def tonic_of(reading: MusicReading) -> int:
    """The key, from the words alone, so that variations of an asset can be faded into each other."""
    return int(generator(reading.fingerprint, 0x70).integers(12))


def _form(bars: int, energy: float) -> list[_Section]:
    count = max(1, -(-bars // _SECTION))
    if count == 1:
        return [_WHOLE]
    rest = _DRIVING if energy > 0.6 else _BREATHING
    cycle = [_OPENING, _WHOLE, _WHOLE, rest]
    form = [cycle[k % 4] for k in range(count)]
    if energy > 0.6:
        form[0] = replace(form[0], drums="full")
    return form


def _section(sections: list[_Section], bar: int) -> _Section:
    return sections[min(bar // _SECTION, len(sections) - 1)]


def _bars(
    chords: list[theory.Chord], sections: list[_Section], timing: Timing, energy: float
) -> list[accompany.Bar]:
    out = []
    for k, chord in enumerate(chords):
        lift = 0.05 * (k // _SECTION % 4) - (0.12 if _section(sections, k).drums == "none" else 0.0)
        after = chords[(k + 1) % len(chords)]
        level = float(np.clip(energy + lift, 0.02, 1.0))
        out.append(accompany.Bar(float(k * timing.beats_in_bar), timing.beats_in_bar, chord, after, level))
    return out


def _write_harmony(
    score: Score, reading: MusicReading, bars: list[accompany.Bar], sections: list[_Section], rng: Rng
) -> None:
    if reading.pad:
        score.notes += accompany.pad_notes(reading.pad, bars)
    if reading.comp:
        play = accompany.comp_pattern(rng, reading.comp, reading.energy)
        for k, bar in enumerate(bars):
            if _section(sections, k).comp:
                score.notes += play(bar)
    if reading.bass:
        for k, bar in enumerate(bars):
            if _section(sections, k).bass:
                score.notes += accompany.bass_notes(reading.bass, bar, reading.style)


def _write_lead(
    score: Score,
    reading: MusicReading,
    chords: list[theory.Chord],
    sections: list[_Section],
    timing: Timing,
    rng: Rng,
) -> None:
    if not reading.lead:
        return
    instrument = INSTRUMENTS[reading.lead]
    lively = 0.15 + 0.6 * reading.energy
    tones = melody.tune(rng, chords, timing.beats_in_bar, lively)
    tonic = theory.nearest(tonic_of(reading), min(72, (instrument.low + instrument.high) / 2 - 4))
    for tone in tones:
        bar = int(tone.start // timing.beats_in_bar)
        if not _section(sections, bar).lead:
            continue
        if reading.style == "horror" and bar % 2:
            continue
        pitch = tonic + theory.pitch(reading.mode, tone.degree)
        note = in_range(reading.lead, pitch)
        score.notes.append(Note(reading.lead, tone.start, tone.beats, note, tone.velocity, 1.0))


def _write_drums(
    score: Score, reading: MusicReading, sections: list[_Section], timing: Timing, rng: Rng
) -> None:
    if reading.kit == "none":
        return
    for bar in range(timing.bars):
        section = _section(sections, bar)
        if section.drums == "none":
            continue
        start = float(bar * timing.beats_in_bar)
        pattern = grooves.groove(reading.kit, reading.energy, section.drums == "light")
        ends = bar % _SECTION == _SECTION - 1 or bar == timing.bars - 1
        length = (
            (2.0 if reading.energy > 0.6 else 1.0)
            if ends and timing.bars > 2 and reading.energy > 0.25
            else 0.0
        )
        score.hits += grooves.bar_of(pattern, start, timing.beats_in_bar, timing.beats_in_bar - length)
        if length:
            score.hits += grooves.fill(
                rng, reading.kit, start + timing.beats_in_bar - length, length, reading.energy
            )
        mark = grooves.crash(reading.kit)
        if mark and bar % _SECTION == 0 and reading.energy > 0.5:
            score.hits.append(Hit(mark, start, 0.7))


def _write_ending(score: Score, reading: MusicReading, chord: theory.Chord, timing: Timing) -> None:
    """The tonic, all together, on the beat after the last bar."""
    start = float(timing.bars * timing.beats_in_bar)
    home = replace(chord, degree=0)
    ring = max(2.0, (timing.n / 48_000 - start * timing.beat) / timing.beat)
    for player in (reading.pad, reading.comp):
        if player:
            for k, tone in enumerate(theory.voicing(home, (), 62, 4)):
                instrument = INSTRUMENTS[player]
                pitch = theory.nearest(
                    tone % 12, float(np.clip(tone, instrument.low + 6, instrument.high - 6))
                )
                score.notes.append(Note(player, start + 0.04 * k, ring, pitch, 0.75, -1.5 * k))
    if reading.bass:
        score.notes.append(Note(reading.bass, start, ring, theory.nearest(home.root, 38), 0.85))
    if reading.lead:
        instrument = INSTRUMENTS[reading.lead]
        middle = min(72.0, (instrument.low + instrument.high) / 2)
        score.notes.append(Note(reading.lead, start, min(ring, 4.0), theory.nearest(home.root, middle), 0.75))
    if reading.kit != "none" and reading.energy > 0.3:
        first = next(iter(grooves.groove(reading.kit, reading.energy)))
        score.hits += [Hit(first, start, 0.9)] + ([Hit("crash", start, 0.7)] if reading.energy > 0.5 else [])
