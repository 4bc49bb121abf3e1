"""From score to sound: each player on a bus, a shared room, and a gentle master."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, reverb
from pipeline.generators.sketch.dsp.canvas import Canvas
from pipeline.generators.sketch.dsp.units import RATE, Audio, Mix, Rng, db, samples
from pipeline.generators.sketch.music.drums import DRUMS, drum_sound
from pipeline.generators.sketch.music.instruments import INSTRUMENTS, sound
from pipeline.generators.sketch.music.score import Note, Score
from pipeline.generators.sketch.music.timing import Timing

_QUIETEST_DB, _LOUDEST_DB = -24.0, -15.5
"""RMS of a cue at no energy and at full energy: mastering sets loudness, this keeps takes honest."""
_CEILING = 0.95


@dataclass(frozen=True)
class Room:
    """Where the piece is played and how much of it is heard."""

    space: str
    wet: float


def mix(score: Score, timing: Timing, loop: bool, room: Room, rng: Rng) -> Mix:
    """Play a score into stereo [2, samples] of exactly ``timing.n``; a loop's tails ring on at its start."""
    dry: Mix = np.zeros((2, timing.n), dtype=np.float32)
    sent: Mix = np.zeros((2, timing.n), dtype=np.float32)
    for player, notes in _by_player(score).items():
        instrument = INSTRUMENTS[player]
        bus = Canvas(timing.n, 2, loop)
        _play(bus, player, notes, score, timing, rng)
        dry += bus.mix
        sent += bus.mix * np.float32(instrument.send)
    _strike(dry, sent, score, timing, loop, rng)
    if room.space != "dry":
        dry += reverb.convolve(sent, reverb.impulse(room.space), loop) * np.float32(room.wet)
    return dry


def master(audio: Mix, energy: float, loop: bool) -> Mix:
    """Subsonics out, a level that follows energy, peaks rounded rather than cut."""
    clean = np.stack([_cleaned(channel, loop) for channel in audio])
    level = float(np.sqrt(np.mean(np.square(clean), dtype=np.float64)))
    if level < 1e-9:
        return clean
    gain = db(_QUIETEST_DB + (_LOUDEST_DB - _QUIETEST_DB) * energy) / level
    return np.stack([(_round_peaks(channel * gain) * _CEILING).astype(np.float32) for channel in clean])


def _cleaned(channel: Mix, loop: bool) -> Mix:
    audible = filters.high_pass(channel.astype(np.float64), 28.0, 2, loop)
    return filters.shelf(audible, 5000.0, 1.5, True, loop).astype(np.float32)


def _round_peaks(audio: Audio) -> Audio:
    """Linear to 0.6 of full scale, then ever softer towards 1."""
    size = np.abs(audio)
    over = np.maximum(size - 0.6, 0.0)
    return np.asarray(np.sign(audio) * np.where(over > 0, 0.6 + 0.4 * np.tanh(over / 0.4), size))


def _by_player(score: Score) -> dict[str, list[Note]]:
    players: defaultdict[str, list[Note]] = defaultdict(list)
    for note in score.notes:
        players[note.player].append(note)
    return players


def _swung(start: float, swing: float) -> float:
    """The second half of each beat, late."""
    beat = np.floor(start)
    part = start - beat
    late = part / 0.5 * (0.5 + swing) if part <= 0.5 else 0.5 + swing + (part - 0.5) / 0.5 * (0.5 - swing)
    return float(beat + late)


def _when(start: float, score: Score, timing: Timing, rng: Rng) -> int:
    loose = float(np.clip(rng.normal(0.0, score.looseness_s), -0.015, 0.015)) * RATE
    return max(0 if start == 0 else 1, timing.at(_swung(start, score.swing)) + round(loose))


def _play(bus: Canvas, player: str, notes: list[Note], score: Score, timing: Timing, rng: Rng) -> None:
    instrument = INSTRUMENTS[player]
    for take, note in enumerate(notes):
        seconds = note.beats * timing.beat + instrument.blend
        if not bus.loop:
            seconds = min(seconds, timing.n / RATE)
        wave = sound(player, note.pitch, seconds, note.velocity, take)
        if instrument.rings:
            wave = _damped(wave, seconds)
        gain = (
            db(instrument.level_db + note.level_db) * (0.35 + 0.65 * note.velocity) * rng.uniform(0.93, 1.07)
        )
        bus.add(wave, _when(note.start, score, timing, rng), float(gain), instrument.pan + note.pan)


def _damped(wave: Audio, seconds: float) -> Audio:
    """A ringing note is let go a little after its length."""
    length = samples(seconds + 0.7)
    if length >= wave.shape[-1]:
        return wave
    return wave[..., :length] * envelopes.held(length, 0.0, 0.6)


def _strike(dry: Mix, sent: Mix, score: Score, timing: Timing, loop: bool, rng: Rng) -> None:
    kit: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for hit in score.hits:
        kit[hit.drum].append((hit.start, hit.velocity))
    for name, hits in kit.items():
        drum = DRUMS[name]
        bus = Canvas(timing.n, 2, loop)
        for take, (start, velocity) in enumerate(hits):
            gain = db(drum.level_db) * (0.2 + 0.8 * velocity) * rng.uniform(0.92, 1.08)
            bus.add(drum_sound(name, velocity, take), _when(start, score, timing, rng), float(gain), drum.pan)
        dry += bus.mix
        sent += bus.mix * np.float32(drum.send)
