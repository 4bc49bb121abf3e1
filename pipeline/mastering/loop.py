"""Cut a loop from a sound that does not loop: length on the bar grid, tail crossfaded into the head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.audio import Clip, Samples
from pipeline.errors import MasteringError
from pipeline.mastering.fade import ramp
from pipeline.mastering.loop_search import best_start, tempo_length
from pipeline.mastering.trim import pad_end

BEATS_A_BAR = 4
CROSSFADE_S = 0.5
_ROUNDED_S = 1 / 8000
"""Rounding to whole samples, at the take's rate and in rate conversion, may leave out so much: a sample at 8 kHz."""
SHORTEST_CROSSFADE_S = 0.02
_UPBEAT_S = (0.002, 0.01)
"""How far a loop on the grid may start before its first beat, so that it does not wrap in an attack."""
_FREE_DRIFT = 0.04
"""Maximum change of a free-time loop's length, as a share, to keep a beat."""
_BEFORE_S = 4.0
"""Length of the intro that is compared with the sound before the loop's end."""
_CALM_S = 0.004
"""Length of the window, from the wrap point, in which the level is measured."""


@dataclass(frozen=True, eq=False)
class LoopCut:
    """A clip that wraps from its last sample to the loop's first, and a record of the cut."""

    clip: Clip
    loop: tuple[int, int]
    """Start and end (exclusive) in samples; only an intro stands before it, and nothing after it."""
    how: dict[str, Any]
    """JSON values: ``length_s``, ``crossfade_s``, ``beats`` on the grid (None in free time), ``shortened``.
    """


@dataclass(frozen=True, slots=True)
class LoopPlan:
    """The requested loop."""

    loop_s: float
    bpm: float | None
    intro_s: float
    exact: bool

    def start(self, rate: int) -> int:
        """The loop's first sample at ``rate`` Hz."""
        return round(self.intro_s * rate)

    def end(self, rate: int) -> int:
        """Samples at ``rate`` Hz of intro and loop together; the sum of both is that of decimals."""
        return round(round(self.intro_s + self.loop_s, 9) * rate)


def _crossfade_room(length: int, spare: int, rate: int) -> int:
    """Samples of crossfade that a loop of ``length`` with ``spare`` samples after it has room for."""
    return min(round(CROSSFADE_S * rate), length // 4, spare)


def _beat_lengths(duration_s: float, bpm: float, rate: int) -> list[tuple[int, int]]:
    """(beats, samples) to try: whole bars nearest to the duration, then fewer bars, then fewer beats."""
    beat_s = 60.0 / bpm
    bars = max(1, round(duration_s / (beat_s * BEATS_A_BAR)))
    beats = [count * BEATS_A_BAR for count in range(bars, 0, -1)] + list(range(BEATS_A_BAR - 1, 0, -1))
    return [(count, round(count * beat_s * rate)) for count in beats]


def _lengths(plan: LoopPlan, rate: int) -> list[tuple[int, int]]:
    """(beats, samples) of the loop to try, the requested one first; 0 beats in free time.

    With ``exact`` there is one: the loop ends where the file must end. A duration that is written in decimals is
    seldom a whole number of beats to the sample, nor are intro and loop whole samples each.
    """
    lengths = _beat_lengths(plan.loop_s, plan.bpm, rate) if plan.bpm else [(0, round(plan.loop_s * rate))]
    if not plan.exact:
        return lengths
    return [(lengths[0][0], plan.end(rate) - plan.start(rate))]


def _grid_length(clip: Clip, plan: LoopPlan) -> tuple[int, int] | None:
    """The first (beats, samples) that leaves room for a crossfade after it; None when none does."""
    shortest = round(SHORTEST_CROSSFADE_S * clip.rate)
    fitting = (pair for pair in _lengths(plan, clip.rate) if pair[1] + shortest <= clip.length)
    return next(fitting, None)


def _free_length(clip: Clip, duration_s: float) -> int:
    """``duration_s`` where the clip has enough after it to crossfade, else what leaves a full crossfade."""
    asked = round(duration_s * clip.rate)
    if asked + round(SHORTEST_CROSSFADE_S * clip.rate) <= clip.length:
        return asked
    return clip.length - min(round(CROSSFADE_S * clip.rate), clip.length // 5)


def blend(old: Samples, new: Samples) -> Samples:
    """``old`` turning into ``new``, both of shape [channels, samples], without a corner at either end.

    It keeps equal power for what the two share nothing of (sine and cosine), and equal amplitude for what they
    share: both gains are divided by sqrt(1 + r sin 2a), r the correlation of the two from 0 to 1 (Fink, Holters
    and Zoelzer, "Signal-matched power-complementary cross-fading and dry-wet mixing", DAFx 2016).
    """
    fading, rising = old.astype(np.float64), new.astype(np.float64)
    power = float(np.sqrt(np.vdot(fading, fading) * np.vdot(rising, rising)))
    shared = max(0.0, float(np.vdot(fading, rising)) / power) if power > 0.0 else 0.0
    rise = _rise(old.shape[1])
    fall = rise[::-1]
    even = np.sqrt(1.0 + 2.0 * shared * rise * fall)
    rising *= rise / even
    rising += fading * (fall / even)
    return rising.astype(np.float32)


@lru_cache(maxsize=8)
def _rise(length: int) -> npt.NDArray[np.float64]:
    return np.asarray(np.sin(0.5 * np.pi * ramp(length)))


def wrapped(samples: Samples, length: int, overlap: int) -> tuple[Samples, Samples]:
    """The loop that the first ``length`` samples make, in two parts: its head, blended with the ``overlap`` samples
    that follow the loop, so that the last sample leads into what really came after it, and the rest. See `blend`."""
    head = blend(samples[:, length : length + overlap], samples[:, :overlap])
    return head, samples[:, overlap:length]


def calm_upbeat(before: Samples, after: Samples, rate: int) -> int:
    """By how many samples the loop that begins with ``after`` should begin earlier, in ``before``, so that it wraps
    in its calmest moment before the first beat: where the highs, which an attack has most of, are lowest.

    0 where there is no room.
    """
    first, last = (round(seconds * rate) for seconds in _UPBEAT_S)
    window = max(1, round(_CALM_S * rate))
    if before.shape[1] <= last or after.shape[1] < window:
        return 0
    near = np.concatenate([before[:, -last - 1 :], after[:, :window]], axis=1, dtype=np.float64)
    highs = np.square(np.diff(near, axis=1)).sum(axis=0)
    power = np.convolve(highs, np.ones(window), "valid")[: last - first + 1]
    return last - int(power.argmin())


def crossfade_back(clip: Clip, start: int, end: int, overlap: int) -> Clip:
    """The clip up to ``end``, its last ``overlap`` samples blended into those before ``start``, so that the last
    one leads to the sample at ``start``; what comes before the blend, intro and all, stays. See `blend`."""
    samples = clip.samples[:, :end].copy()
    if overlap:
        samples[:, end - overlap :] = blend(
            clip.samples[:, end - overlap : end], clip.samples[:, start - overlap : start]
        )
    return Clip(samples, clip.rate)


def _cut(clip: Clip, start: int, length: int) -> tuple[Samples, Samples, dict[str, Any]]:
    """The loop of ``length`` samples from ``start``, crossfaded, as `wrapped` gives it, and what was done."""
    overlap = _crossfade_room(length, clip.length - start - length, clip.rate)
    how = {
        "start_s": round(start / clip.rate, 6),
        "length_s": round(length / clip.rate, 6),
        "crossfade_s": round(overlap / clip.rate, 6),
    }
    return *wrapped(clip.samples[:, start:], length, overlap), how


def _on_grid(clip: Clip, plan: LoopPlan, beats: int, length: int) -> LoopCut:
    """A loop from the first sound over whole beats, following the tempo that was really played."""
    played, match = (length, 0.0) if plan.exact else tempo_length(clip, length)
    overlap = round(SHORTEST_CROSSFADE_S * clip.rate)
    played = played if played + overlap <= clip.length else length
    head, body, how = _cut(clip, 0, played)
    upbeat = calm_upbeat(body, head, clip.rate)
    turned = body.shape[1] - upbeat
    found = np.concatenate([body[:, turned:], head, body[:, :turned]], axis=1)
    asked = _lengths(plan, clip.rate)[0][1]
    tempo = round(beats * 60.0 * clip.rate / played, 3)
    told = {"upbeat_s": round(upbeat / clip.rate, 6), "beats": beats, "bpm": tempo, "match": match}
    shortened = length < asked
    return LoopCut(Clip(found, clip.rate), (0, played), {**how, **told, "shortened": shortened})


def _free(clip: Clip, plan: LoopPlan) -> LoopCut:
    """A loop in free time, from where its seam is heard least; where a beat is clearly heard, it keeps it."""
    length, match = _free_length(clip, plan.loop_s), None
    if not plan.exact:
        length, match = tempo_length(clip, length, _FREE_DRIFT)
    length = min(length, clip.length - min(round(SHORTEST_CROSSFADE_S * clip.rate), clip.length // 5))
    wanted = min(round(CROSSFADE_S * clip.rate), length // 4, clip.length - length)
    start, difference = best_start(clip, length, wanted)
    *parts, how = _cut(clip, start, length)
    told = {"beats": None, "match": match, "difference_db": difference}
    shortened = length < round(plan.loop_s * clip.rate * (1.0 - _FREE_DRIFT))
    found = Clip(np.concatenate(parts, axis=1), clip.rate)
    return LoopCut(found, (0, length), {**how, **told, "shortened": shortened})


def _after_intro(clip: Clip, plan: LoopPlan) -> LoopCut:
    """An intro that stays as it is, and a loop whose end is blended into what leads up to its start."""
    start, rate = plan.start(clip.rate), clip.rate
    lengths = _lengths(plan, rate)
    asked = lengths[0][1]
    if plan.exact and 0 < start + asked - clip.length <= max(1, round(_ROUNDED_S * rate)):
        # What leads up to the start takes the place of the missing samples in the crossfade.
        clip = pad_end(clip, start + asked)
    room = clip.length - start
    beats, length = next((pair for pair in lengths if pair[1] <= room), (0, room))
    before = min(start, round(_BEFORE_S * rate))
    match = None
    if not plan.exact:
        heard = Clip(clip.samples[:, start - before :], rate)
        played, match = tempo_length(heard, length)
        length = played if played <= room else length
    upbeat = 0 if plan.exact else calm_upbeat(clip.samples[:, :start], clip.samples[:, start:], rate)
    first, end = start - upbeat, start - upbeat + length
    overlap = min(round(CROSSFADE_S * rate), length // 4, first)
    seconds = {
        "start_s": 0.0,
        "intro_s": round(first / rate, 6),
        "length_s": round(length / rate, 6),
        "crossfade_s": round(overlap / rate, 6),
        "upbeat_s": round(upbeat / rate, 6),
    }
    tempo = round(beats * 60.0 * rate / length, 3) if beats else None
    told = {"beats": beats or None, "bpm": tempo, "match": match, "shortened": length < 0.98 * asked}
    return LoopCut(crossfade_back(clip, first, end, overlap), (first, end), {**seconds, **told})


def cut_loop(
    clip: Clip, duration_s: float, bpm: float | None, *, intro_s: float = 0.0, exact: bool = False
) -> LoopCut:
    """A loop of about ``duration_s`` seconds from ``clip``, after an intro of ``intro_s`` that plays once.

    With ``bpm`` it starts with the clip (a few milliseconds before it, so as not to wrap in an attack) and
    lasts whole bars of four beats, or whole beats where not one bar fits; where the rhythm clearly comes
    again up to 1 % sooner or later, the tempo really played counts. In free time it lasts ``duration_s``
    and starts where its seam is heard least; where a beat is clearly heard it keeps it, by up to 4 % of the
    length. ``exact`` lets it follow no tempo, and intro and loop together last what is asked to the sample. Where the
    clip is too short for that and a crossfade, the loop is shorter, and ``how["shortened"]`` says so; with ``exact``
    that is a `MasteringError`, as too little sound to loop at all is.
    """
    plan = LoopPlan(duration_s, bpm, intro_s, exact)
    if clip.length - round(intro_s * clip.rate) < 8:
        raise MasteringError("the take is too short to loop; generate a longer one (raise duration)")
    grid = _grid_length(clip, plan) if bpm else None
    if intro_s:
        found = _after_intro(clip, plan)
    elif grid:
        found = _on_grid(clip, plan, *grid)
    else:
        found = _free(clip, plan)
    if exact and found.clip.length != plan.end(clip.rate):
        raise MasteringError(
            f"a take of {clip.seconds:.3f} s is too short for a loop of exactly {duration_s:.3f} s with a crossfade; "
            "lower duration, or remove exact"
        )
    return found
