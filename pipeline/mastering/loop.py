"""Cutting a loop from a sound that was not made as one: bar-grid length, tail faded into the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.audio import Clip
from pipeline.errors import MasteringError
from pipeline.mastering.fade import ramp
from pipeline.mastering.loop_search import best_start, tempo_length

BEATS_A_BAR = 4
CROSSFADE_S = 0.5
SHORTEST_CROSSFADE_S = 0.02
_UPBEAT_S = (0.002, 0.01)
"""By how much a loop on the grid may begin before its first beat, so as not to wrap in an attack."""
_CALM_S = 0.004
"""Looked at from where it would wrap."""


@dataclass(frozen=True, eq=False)
class LoopCut:
    """A clip that wraps from its last sample to its first, and how it was found."""

    clip: Clip
    how: dict[str, Any]
    """JSON values: ``length_s``, ``crossfade_s``, ``beats`` on the grid (None in free time), ``shortened``.
    """


def _crossfade_room(length: int, spare: int, rate: int) -> int:
    """Samples of crossfade that a loop of ``length`` with ``spare`` samples after it has room for."""
    return min(round(CROSSFADE_S * rate), length // 4, spare)


def _beat_lengths(duration_s: float, bpm: float, rate: int) -> list[tuple[int, int]]:
    """(beats, samples) to try: whole bars nearest to the duration, then fewer bars, then fewer beats."""
    beat_s = 60.0 / bpm
    bars = max(1, round(duration_s / (beat_s * BEATS_A_BAR)))
    beats = [count * BEATS_A_BAR for count in range(bars, 0, -1)] + list(range(BEATS_A_BAR - 1, 0, -1))
    return [(count, round(count * beat_s * rate)) for count in beats]


def _grid_length(clip: Clip, duration_s: float, bpm: float) -> tuple[int, int] | None:
    """The first (beats, samples) that leaves room for a crossfade after it; None when none does."""
    shortest = round(SHORTEST_CROSSFADE_S * clip.rate)
    fitting = (
        pair for pair in _beat_lengths(duration_s, bpm, clip.rate) if pair[1] + shortest <= clip.length
    )
    return next(fitting, None)


def _free_length(clip: Clip, duration_s: float) -> int:
    """``duration_s`` where the clip has enough after it to crossfade, else what leaves a full crossfade."""
    asked = round(duration_s * clip.rate)
    if asked + round(SHORTEST_CROSSFADE_S * clip.rate) <= clip.length:
        return asked
    return clip.length - min(round(CROSSFADE_S * clip.rate), clip.length // 5)


def crossfade_wrap(clip: Clip, length: int, overlap: int) -> Clip:
    """The first ``length`` samples, their head blended with the ``overlap`` samples that follow them.

    So the last sample leads into what really came after it, and the blend begins and ends without a corner.
    It keeps equal power for what the two
    share nothing of (sine and cosine), and equal amplitude for what they share: both gains are divided by
    sqrt(1 + r sin 2a), r the correlation of the two from 0 to 1 (Fink, Holters and Zoelzer, "Signal-matched
    power-complementary cross-fading and dry-wet mixing", DAFx 2016).
    """
    samples = clip.samples[:, :length].copy()
    if overlap:
        head = clip.samples[:, :overlap].astype(np.float64)
        tail = clip.samples[:, length : length + overlap].astype(np.float64)
        power = float(np.sqrt(np.square(head).sum() * np.square(tail).sum()))
        shared = max(0.0, float((head * tail).sum()) / power) if power > 0.0 else 0.0
        angle = 0.5 * np.pi * ramp(overlap)
        even = np.sqrt(1.0 + shared * np.sin(2.0 * angle))
        samples[:, :overlap] = (head * np.sin(angle) + tail * np.cos(angle)) / even
    return Clip(samples, clip.rate)


def calm_upbeat(clip: Clip) -> int:
    """By how many samples the loop ``clip`` should begin earlier, so that it wraps in its calmest moment before
    the first beat: where the highs, which an attack has most of, are lowest. 0 where there is no room."""
    first, last = (round(seconds * clip.rate) for seconds in _UPBEAT_S)
    window = max(1, round(_CALM_S * clip.rate))
    if clip.length < 2 * (last + window):
        return 0
    before = np.concatenate([clip.samples[:, -last - 1 :], clip.samples[:, :window]], axis=1)
    highs = np.square(np.diff(before.astype(np.float64), axis=1)).sum(axis=0)
    power = np.convolve(highs, np.ones(window), "valid")[: last - first + 1]
    return last - int(power.argmin())


def _cut(clip: Clip, start: int, length: int) -> tuple[Clip, dict[str, Any]]:
    """The loop of ``length`` samples from ``start``, crossfaded, and what was done."""
    rest = Clip(clip.samples[:, start:], clip.rate)
    overlap = _crossfade_room(length, rest.length - length, clip.rate)
    how = {
        "start_s": round(start / clip.rate, 6),
        "length_s": round(length / clip.rate, 6),
        "crossfade_s": round(overlap / clip.rate, 6),
    }
    return crossfade_wrap(rest, length, overlap), how


def _on_grid(clip: Clip, duration_s: float, bpm: float, beats: int, length: int) -> LoopCut:
    """A loop from the first sound over whole beats, following the tempo that was really played."""
    played, match = tempo_length(clip, length)
    overlap = round(SHORTEST_CROSSFADE_S * clip.rate)
    played = played if played + overlap <= clip.length else length
    found, how = _cut(clip, 0, played)
    upbeat = calm_upbeat(found)
    found = Clip(np.roll(found.samples, upbeat, axis=1), clip.rate)
    how["upbeat_s"] = round(upbeat / clip.rate, 6)
    asked = _beat_lengths(duration_s, bpm, clip.rate)[0][1]
    tempo = round(beats * 60.0 * clip.rate / played, 3)
    return LoopCut(found, {**how, "beats": beats, "bpm": tempo, "match": match, "shortened": length < asked})


def _free(clip: Clip, duration_s: float) -> LoopCut:
    """A loop in free time, from where its seam is heard least."""
    length = _free_length(clip, duration_s)
    wanted = min(round(CROSSFADE_S * clip.rate), length // 4, clip.length - length)
    start, difference = best_start(clip, length, wanted)
    found, how = _cut(clip, start, length)
    shortened = length < round(duration_s * clip.rate)
    return LoopCut(found, {**how, "beats": None, "difference_db": difference, "shortened": shortened})


def cut_loop(clip: Clip, duration_s: float, bpm: float | None) -> LoopCut:
    """A loop of about ``duration_s`` seconds from ``clip``.

    With ``bpm`` it starts with the clip and lasts whole bars of four beats, or whole beats where not one
    bar fits; where the rhythm clearly comes again up to 1 % sooner or later, the tempo really played
    counts. In free time it lasts ``duration_s`` exactly and starts where its seam is heard least. Where the
    clip is too short for that and a crossfade, the loop is shorter, and ``how["shortened"]`` says so.
    Raises `MasteringError` when there is too little sound to loop at all.
    """
    if clip.length < 8:
        raise MasteringError("the take is too short to loop; generate a longer one (raise duration)")
    found = _grid_length(clip, duration_s, bpm) if bpm else None
    if bpm and found:
        return _on_grid(clip, duration_s, bpm, *found)
    return _free(clip, duration_s)
