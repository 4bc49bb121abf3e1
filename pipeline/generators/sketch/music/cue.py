"""One piece of music from its prompt: read, time, write, play, finish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.generators.sketch.dsp import envelopes
from pipeline.generators.sketch.dsp.units import RATE, Mix, generator, samples
from pipeline.generators.sketch.music.arrange import arrange
from pipeline.generators.sketch.music.mixdown import Room, master, mix
from pipeline.generators.sketch.music.score import Score
from pipeline.generators.sketch.music.stingers import GESTURE_MODES, stinger
from pipeline.generators.sketch.music.timing import Timing, ending_timing, loop_timing
from pipeline.generators.sketch.music_reading import MusicReading, read_music

_WET = 0.9
_UPBEAT = samples(0.005)
"""By which a loop begins before its first beat, so that it wraps in a calm moment and not in an attack."""


def cue(
    prompt: str, seconds: float, bpm: float | None, loop: bool, seed: int
) -> tuple[Mix, Mapping[str, Any]]:
    """Stereo samples [2, n] and what was heard in the prompt."""
    reading = read_music(prompt, seconds, loop)
    writing, playing = generator(seed, 1, reading.fingerprint), generator(seed, 2)
    timing = _timing(reading, seconds, bpm, loop)
    score = stinger(reading, timing, writing) if reading.stinger else arrange(reading, timing, loop, writing)
    audio = master(mix(score, timing, loop, Room(reading.space, _WET), playing), reading.energy, loop)
    finished = np.roll(audio, _UPBEAT, axis=1) if loop else _ended(audio)
    return finished, _notes(reading, score, timing, loop)


def _timing(reading: MusicReading, seconds: float, bpm: float | None, loop: bool) -> Timing:
    if loop:
        return loop_timing(seconds, bpm, reading.tempo_bpm, reading.beats_in_bar)
    if reading.stinger:
        tempo = bpm or max(reading.tempo_bpm, 100.0)
        return Timing(tempo, reading.beats_in_bar, 1, max(1, round(seconds * RATE)))
    return ending_timing(seconds, bpm, reading.tempo_bpm, reading.beats_in_bar)


def _ended(audio: Mix) -> Mix:
    """The last chord dies away before the end does."""
    n = audio.shape[1]
    fade = min(0.30 * n / RATE, 3.0)
    return audio * envelopes.held(n, 0.0, fade).astype(np.float32)


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
    """Who plays, in the order of the score, the drums last."""
    players = list(dict.fromkeys(note.player for note in score.notes))
    if score.hits:
        players.append("percussion" if kit == "none" else f"{kit} kit")
    return players
