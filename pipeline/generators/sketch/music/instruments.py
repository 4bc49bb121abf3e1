"""The instrument table, and a sampler that caches each note.

A note depends on instrument, pitch, strength and round robin alone, never on the piece. So each is rendered once a
process and every piece shares it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pipeline.generators.sketch.dsp.units import Mix, generator, midi_hz
from pipeline.generators.sketch.music import acoustic, electronic
from pipeline.generators.sketch.music.acoustic import PlayNote


class Instrument(NamedTuple):
    """An instrument in the mix: range (MIDI), level in dB, pan, reverb send, and how its notes end."""

    play: PlayNote
    low: int
    high: int
    level_db: float
    send: float = 0.3
    rings: bool = False
    """True: the sound decays by itself, so one recording serves notes of every length."""
    pan: float = 0.0
    blend: float = 0.0
    """Seconds by which a note overlaps the next."""


INSTRUMENTS: dict[str, Instrument] = {
    "nylon guitar": Instrument(acoustic.nylon, 40, 84, -7, 0.22, True, -0.25),
    "twang guitar": Instrument(acoustic.steel, 40, 84, -8, 0.35, True, -0.2),
    "harp": Instrument(acoustic.harp, 36, 96, -8, 0.4, True, 0.3),
    "koto": Instrument(acoustic.koto, 48, 88, -7, 0.3, True, 0.2),
    "oud": Instrument(acoustic.oud, 40, 76, -7, 0.25, True, -0.2),
    "pizzicato": Instrument(acoustic.pizzicato, 48, 88, -8, 0.35, True, 0.2),
    "pizzicato bass": Instrument(acoustic.pizzicato, 28, 52, -5, 0.2, True),
    "upright bass": Instrument(acoustic.upright, 28, 52, -6, 0.08, True),
    "electric bass": Instrument(acoustic.electric_bass, 28, 52, -9.5, 0.04, True),
    "piano": Instrument(acoustic.piano, 33, 96, -7, 0.28, True, 0.0),
    "muted piano": Instrument(acoustic.muted_piano, 33, 88, -7.5, 0.4, True, 0.1),
    "electric piano": Instrument(acoustic.electric_piano, 36, 88, -11, 0.25, True),
    "vibraphone": Instrument(acoustic.vibraphone, 53, 89, -10, 0.35, True, 0.25),
    **{
        name: Instrument(play, 60 if name != "marimba" else 48, 98, -9.5, 0.4, True, 0.3)
        for name, play in acoustic.BARS.items()
    },
    **{name: Instrument(player, 60, 91, -15.5, 0.38, False, 0.12) for name, player in acoustic.WINDS.items()},
    "violin": Instrument(acoustic.bowed(0.75, 24, 0.09), 55, 91, -15.5, 0.42, False, -0.2),
    "fiddle": Instrument(acoustic.bowed(0.65, 16, 0.04), 55, 91, -15.5, 0.28, False, -0.2),
    "cello": Instrument(acoustic.bowed(0.95, 20, 0.11), 36, 69, -13, 0.4, False, 0.2),
    "contrabass": Instrument(acoustic.bowed(1.15, 8, 0.07), 28, 50, -14.5, 0.2, False),
    "brass": Instrument(acoustic.brass, 46, 77, -6.5, 0.4, False, 0.15),
    "accordion": Instrument(acoustic.accordion, 48, 84, -14, 0.25, False),
    "strings": Instrument(electronic.section("strings", 0.35, 0.6), 36, 88, -14.5, 0.35, blend=0.15),
    "choir": Instrument(electronic.section("choir", 0.45, 0.8), 45, 79, -15, 0.5, blend=0.2),
    "organ": Instrument(electronic.section("organ", 0.03, 0.2), 36, 84, -15, 0.4),
    "warm pad": Instrument(electronic.section("warm pad", 0.6, 1.1), 36, 84, -16, 0.4, blend=0.3),
    "soft synth": Instrument(electronic.section("soft synth", 0.05, 0.7), 48, 88, -14, 0.5),
    "analog pad": Instrument(electronic.section("analog pad", 0.25, 0.6), 36, 84, -15.5, 0.3, blend=0.1),
    "chip pad": Instrument(electronic.section("chip pad", 0.01, 0.1), 48, 84, -21, 0.05),
    "dark drone": Instrument(electronic.section("dark drone", 1.2, 2.0), 24, 64, -13, 0.4, blend=0.6),
    "drone strings": Instrument(electronic.section("strings", 0.8, 1.2), 36, 76, -18.5, 0.35, blend=0.4),
    "tremolo strings": Instrument(electronic.tremolo, 40, 88, -14.5, 0.35, blend=0.1),
    "staccato strings": Instrument(electronic.staccato, 40, 84, -7, 0.3, pan=-0.1),
    "saw lead": Instrument(electronic.saw_lead, 55, 91, -15, 0.3),
    "synth arp": Instrument(electronic.synth_arp, 48, 91, -10, 0.3, True, 0.2),
    "synth bass": Instrument(electronic.synth_bass, 28, 52, -11, 0.03),
    "sub bass": Instrument(electronic.sub_bass, 29, 48, -15.5, 0.0),
    "chip lead": Instrument(electronic.chip("pulse", 0.25, 0.03), 55, 93, -14, 0.08),
    "chip arp": Instrument(electronic.chip("pulse", 0.5, 0.02), 55, 93, -18, 0.05, pan=0.3),
    "chip bass": Instrument(electronic.chip("triangle", 0.5, 0.01), 33, 57, -11, 0.0),
    "power guitar": Instrument(acoustic.power_guitar, 36, 60, -11, 0.08),
    "lead guitar": Instrument(acoustic.lead_guitar, 52, 88, -13, 0.3),
}


def in_range(name: str, note: int) -> int:
    """The MIDI note, moved by octaves to where the instrument has it."""
    instrument = INSTRUMENTS[name]
    while note < instrument.low:
        note += 12
    while note > instrument.high:
        note -= 12
    return note


_LONGEST_CACHED_S = 4.0
"""Longer notes are not cached: the memory would cost more than the time saved."""


def sound(name: str, note: int, seconds: float, velocity: float, take: int) -> Mix:
    """One note of an instrument, [samples] or [2, samples]; ``take`` picks among its round robin of two."""
    layer = 1 + min(2, int(velocity * 3.0))
    length = 0.0 if INSTRUMENTS[name].rings else round(seconds, 3)
    play = _cached_note if length < _LONGEST_CACHED_S else _render_note
    return play(name, note, length, layer, take % 2)


def _render_note(name: str, note: int, seconds: float, layer: int, take: int) -> Mix:
    rng = generator(0x1257, name, note, round(seconds * 1000), layer, take)
    return INSTRUMENTS[name].play(midi_hz(note), max(seconds, 0.05), layer / 3.0, rng).astype(np.float32)


_cached_note = lru_cache(maxsize=160)(_render_note)
