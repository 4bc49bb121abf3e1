"""One cue from its prompt: read it, set the timing, write the score, play it on buses, add reverb, master."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, filters, reverb
from pipeline.generators.sketch.dsp.mixing import Bus
from pipeline.generators.sketch.dsp.units import RATE, Audio, Mix, Rng, between, db, generator, samples
from pipeline.generators.sketch.music.arrangement import GESTURE_MODES, arrange, stinger
from pipeline.generators.sketch.music.drums import DRUMS, drum_sound
from pipeline.generators.sketch.music.instruments import INSTRUMENTS, sound
from pipeline.generators.sketch.music.reading import MusicReading, read_music
from pipeline.generators.sketch.music.score import Hit, Note, Score, Timing, ending_timing, loop_timing

_WET = 0.9
_UPBEAT = samples(0.005)
"""Lead of a loop before its first beat, so that the seam falls in a quiet moment, not in an attack."""


def cue(
    prompt: str, seconds: float, bpm: float | None, loop: bool, seed: int
) -> tuple[Mix, Mapping[str, Any]]:
    """Stereo samples [2, n] and what was read from the prompt."""
    reading = read_music(prompt, seconds, loop)
    writing, playing = generator(seed, 1, reading.fingerprint), generator(seed, 2)
    timing = _timing(reading, seconds, bpm, loop)
    score = stinger(reading, timing, writing) if reading.stinger else arrange(reading, timing, loop, writing)
    audio = master(mix(score, timing, loop, reading.space, playing), reading.energy, loop)
    finished = np.roll(audio, _UPBEAT, axis=1) if loop else _faded_out(audio)
    return finished, _notes(reading, score, timing, loop)


def _timing(reading: MusicReading, seconds: float, bpm: float | None, loop: bool) -> Timing:
    if loop:
        return loop_timing(seconds, bpm, reading.tempo_bpm, reading.beats_in_bar)
    if reading.stinger:
        tempo = bpm or max(reading.tempo_bpm, 100.0)
        return Timing(tempo, reading.beats_in_bar, 1, samples(seconds))
    return ending_timing(seconds, bpm, reading.tempo_bpm, reading.beats_in_bar)


def _faded_out(audio: Mix) -> Mix:
    """Fade the last chord out before the end."""
    n = audio.shape[1]
    fade = min(0.30 * n / RATE, 3.0)
    return audio * envelopes.sustain(n, 0.0, fade).astype(np.float32)


def _notes(reading: MusicReading, score: Score, timing: Timing, loop: bool) -> dict[str, Any]:
    return {
        "family": f"stinger: {reading.stinger}" if reading.stinger else "music",
        "style": reading.style,
        "mode": GESTURE_MODES[reading.stinger] if reading.stinger else reading.mode,
        "tempo_bpm": round(timing.bpm, 3),
        "beats_in_bar": timing.beats_in_bar,
        "bars": timing.bars if loop else None,
        "energy": round(reading.energy, 2),
        "palette": _played(score, reading.kit),
        "space": reading.space,
    }


def _played(score: Score, kit: str) -> list[str]:
    """The instruments of the score, in the order of entry; drums last."""
    players = list(dict.fromkeys(note.player for note in score.notes))
    if score.hits:
        players.append("percussion" if kit == "none" else f"{kit} kit")
    return players


_QUIETEST_DB, _LOUDEST_DB = -24.0, -15.5
"""RMS of a cue at no energy and at full energy. Mastering sets the final loudness."""
_CEILING = 0.95


def mix(score: Score, timing: Timing, loop: bool, space: str, rng: Rng) -> Mix:
    """Play a score in a space into stereo [2, ``timing.n``]; in a loop, tails continue at its start."""
    dry: Mix = np.zeros((2, timing.n), dtype=np.float32)
    sent: Mix = np.zeros((2, timing.n), dtype=np.float32)
    events: list[Note | Hit] = [*score.notes, *score.hits]
    tracks: defaultdict[str, list[Note | Hit]] = defaultdict(list)
    for event in events:
        tracks[event.player].append(event)
    for player, track in tracks.items():
        bus = Bus(timing.n, 2, loop)
        for take, event in enumerate(track):
            if isinstance(event, Note):
                wave, gain, pan = _note(event, take, timing, loop, rng)
            else:
                wave, gain, pan = _hit(event, take, rng)
            bus.add(wave, _when(event.start, score, timing, rng), gain, pan)
        dry += bus.mix
        sent += bus.mix * np.float32((DRUMS.get(player) or INSTRUMENTS[player]).send)
    return dry + reverb.convolve(sent, reverb.impulse(space), loop) * np.float32(_WET)


def master(audio: Mix, energy: float, loop: bool) -> Mix:
    """Remove subsonics, set a level that follows the energy, and round off peaks."""
    clean = np.stack([_cleaned(channel, loop) for channel in audio])
    level = float(np.sqrt(np.mean(np.square(clean), dtype=np.float64)))
    if level < 1e-9:
        return clean
    gain = db(_QUIETEST_DB + (_LOUDEST_DB - _QUIETEST_DB) * energy) / level
    return np.stack([(_round_peaks(channel * gain) * _CEILING).astype(np.float32) for channel in clean])


def _cleaned(channel: Mix, loop: bool) -> Mix:
    audible = filters.high_pass(channel.astype(np.float64), 28.0, 2, loop)
    return filters.high_shelf(audible, 5000.0, 1.5, loop).astype(np.float32)


def _round_peaks(audio: Audio) -> Audio:
    """Soft clipping: linear to 0.6 of full scale, then compressed towards 1."""
    size = np.abs(audio)
    over = np.maximum(size - 0.6, 0.0)
    return np.asarray(np.sign(audio) * np.where(over > 0, 0.6 + 0.4 * np.tanh(over / 0.4), size))


def _swung(start: float, swing: float) -> float:
    """Delay the second half of each beat."""
    beat = np.floor(start)
    part = start - beat
    late = part / 0.5 * (0.5 + swing) if part <= 0.5 else 0.5 + swing + (part - 0.5) / 0.5 * (0.5 - swing)
    return float(beat + late)


def _when(start: float, score: Score, timing: Timing, rng: Rng) -> int:
    loose = float(np.clip(rng.normal(0.0, score.looseness_s), -0.015, 0.015)) * RATE
    return max(0 if start == 0 else 1, timing.at(_swung(start, score.swing)) + round(loose))


def _note(note: Note, take: int, timing: Timing, loop: bool, rng: Rng) -> tuple[Audio, float, float]:
    """The sound of a note, its gain and its pan."""
    instrument = INSTRUMENTS[note.player]
    seconds = note.beats * timing.beat + instrument.blend
    if not loop:
        seconds = min(seconds, timing.n / RATE)
    wave: Audio = sound(note.player, note.pitch, seconds, note.velocity, take)
    if instrument.rings:
        wave = _damped(wave, seconds)
    gain = db(instrument.level_db + note.level_db) * (0.35 + 0.65 * note.velocity)
    return wave, gain * between(rng, 0.93, 1.07), instrument.pan + note.pan


def _hit(hit: Hit, take: int, rng: Rng) -> tuple[Audio, float, float]:
    """The sound of a drum, its gain and its pan."""
    drum = DRUMS[hit.player]
    gain = db(drum.level_db) * (0.2 + 0.8 * hit.velocity) * between(rng, 0.92, 1.08)
    return drum_sound(hit.player, hit.velocity, take), gain, drum.pan


def _damped(wave: Audio, seconds: float) -> Audio:
    """Damp a ringing note shortly after its length."""
    length = samples(seconds + 0.7)
    if length >= wave.shape[-1]:
        return wave
    return wave[..., :length] * envelopes.sustain(length, 0.0, 0.6)
