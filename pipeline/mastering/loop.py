"""Cut a loop from a sound that does not loop: its length on the bar grid, its tail crossfaded into its head.

The start of a loop replaces the sound after its end. So the best loop is one whose start sounds like that sound:
rhythm is compared by the envelope in bins of 2 ms, colour by levels in bands of 50 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import rfft

from pipeline.audio import Clip, Floats, Loop, Samples
from pipeline.errors import MasteringError
from pipeline.mastering.edits import pad_end, ramp

_BIN_S = 0.002
_RHYTHM_S = 4.0
_SHORTEST_S = 0.25
_DRIFT = 0.01
"""Maximum difference of the played tempo from the requested one, as a share."""
_MIN_GAIN = 0.15
_MIN_CORRELATION = 0.5
"""A loop leaves the grid only if the correlation is at least this and rises by `_MIN_GAIN`: noise alone does not."""
_HOP_S = 0.05
_COLOUR_HOPS = 20
_BANDS = 20
BEATS_A_BAR = 4
CROSSFADE_S = 0.5
_ROUNDED_S = 1 / 8000
"""Length that rounding to whole samples may lose, at the take's rate and in rate conversion: a sample at 8 kHz."""
SHORTEST_CROSSFADE_S = 0.02
_UPBEAT_S = (0.002, 0.01)
"""Range of how much earlier than its first beat a loop on the grid may start, so that it does not wrap in an attack."""
_FREE_DRIFT = 0.04
"""Maximum change of a free-time loop's length, as a share, to keep a beat."""
_BEFORE_S = 4.0
"""Length of the intro that is compared with the sound before the loop's end."""
_CALM_S = 0.004
"""Length of the window, from the wrap point, in which the level is measured."""


def _rhythm(clip: Clip, first: int, last: int, bin_length: int) -> Floats:
    """Log level from bin ``first`` to ``last``, flat on average: onsets stand out, overall level does not."""
    mono = clip.samples[:, first * bin_length : last * bin_length].mean(axis=0)
    bins = mono.reshape(last - first, bin_length)
    power = np.vecdot(bins, bins).astype(np.float64) / bin_length
    level = np.log10(power + 1e-6 * float(power.mean()) + 1e-20)
    return np.asarray(level - level.mean())


def _normalised(pattern: Floats, signal: Floats) -> Floats:
    """Correlation coefficient of ``pattern`` with ``signal`` at every lag where it fits, from -1 to 1."""
    size = len(pattern)
    centred = pattern - pattern.mean()
    products = np.correlate(signal, centred, mode="valid")
    sums, squares = (_sliding_sums(values, size) for values in (signal, np.square(signal)))
    spread = np.sqrt(np.maximum(squares - np.square(sums) / size, 0.0) * np.square(centred).sum())
    return np.asarray(np.where(spread > 1e-9, products / np.maximum(spread, 1e-9), 0.0))


def _sliding_sums(values: Floats, size: int) -> Floats:
    running = np.concatenate(([0.0], np.cumsum(values)))
    return np.asarray(running[size:] - running[:-size])


def tempo_length(clip: Clip, length: int, furthest: float = _DRIFT) -> tuple[int, float]:
    """The length in samples after which the rhythm of the start repeats, and the correlation there, from -1 to 1.

    It is ``length`` itself, unless another length within the share ``furthest`` of it is clearly better.
    """
    bin_length = max(1, round(_BIN_S * clip.rate))
    middle, shortest = round(length / bin_length), round(_SHORTEST_S / _BIN_S)
    drift = min(round(furthest * length / bin_length), clip.length // bin_length - middle - shortest)
    size = min(round(_RHYTHM_S / _BIN_S), clip.length // bin_length - middle - drift, middle)
    if size < shortest or not 0 < drift < middle:
        return length, 0.0
    head = _rhythm(clip, 0, size, bin_length)
    correlation = _normalised(head, _rhythm(clip, middle - drift, middle + drift + size, bin_length))
    best = int(correlation.argmax())
    if correlation[best] < max(_MIN_CORRELATION, correlation[drift] + _MIN_GAIN):
        return length, round(float(correlation[drift]), 4)
    return length + (best - drift) * bin_length, round(float(correlation[best]), 4)


def _colour(wave: Floats, hop: int) -> Floats:
    """Level in dB by hop and band of equal ratio, shape [hops, bands]."""
    count = len(wave) // hop
    rows = wave[: count * hop].reshape(count, hop) * np.hanning(hop)
    power = np.abs(rfft(rows)) ** 2
    edges = np.unique(np.geomspace(1, power.shape[1] - 1, _BANDS + 1).astype(int))
    banded = np.add.reduceat(power, edges[:-1], axis=1) / np.diff(edges)
    return np.asarray(10.0 * np.log10(banded + 1e-6 * float(banded.mean()) + 1e-20))


def best_start(clip: Clip, length: int, overlap: int) -> tuple[int, float]:
    """The start in samples of a loop of ``length``, and the difference in dB that remains.

    The best start is the one where the second after it sounds most like the second after the loop's end; ``overlap``
    samples remain for a crossfade. The earliest of equals wins. Start 0 if there is no room to choose.
    """
    hop = max(2, round(_HOP_S * clip.rate))
    colour = _colour(clip.samples.mean(axis=0, dtype=np.float64), hop)
    choices = (clip.length - length - overlap) // hop + 1
    shift = round(length / hop)
    size = min(_COLOUR_HOPS, len(colour) - shift - choices + 1)
    if choices < 1 or size < 1:
        return 0, 0.0
    differences = [
        float(np.abs(colour[start : start + size] - colour[start + shift : start + shift + size]).mean())
        for start in range(choices)
    ]
    best = int(np.argmin(np.round(differences, 2)))
    return best * hop, round(differences[best], 3)


@dataclass(frozen=True, eq=False)
class LoopCut:
    """A clip that wraps from its last sample to the loop's first, and a record of the cut."""

    clip: Clip
    loop: Loop
    """Only an intro comes before it, and nothing after it."""
    record: dict[str, Any]
    """JSON values: ``length_s``, ``crossfade_s``, ``beats`` on the grid (None in free time), ``shortened``."""


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
        """Samples at ``rate`` Hz of intro and loop together, from their sum in decimals."""
        return round(round(self.intro_s + self.loop_s, 9) * rate)


def _crossfade_room(length: int, spare: int, rate: int) -> int:
    """Crossfade in samples for a loop of ``length`` with ``spare`` samples after it."""
    return min(round(CROSSFADE_S * rate), length // 4, spare)


def _lengths(plan: LoopPlan, rate: int) -> list[tuple[int, int]]:
    """(beats, samples) of the loop to try: whole bars nearest to the duration, then fewer bars, then fewer beats.

    In free time there are 0 beats. With ``exact`` there is one length: the loop ends where the file must end. A
    duration in decimals is seldom a whole number of beats to the sample, and intro and loop are seldom whole samples
    each.
    """
    lengths = [(0, round(plan.loop_s * rate))]
    if plan.bpm:
        beat_s = 60.0 / plan.bpm
        bars = max(1, round(plan.loop_s / (beat_s * BEATS_A_BAR)))
        beats = [count * BEATS_A_BAR for count in range(bars, 0, -1)] + list(range(BEATS_A_BAR - 1, 0, -1))
        lengths = [(count, round(count * beat_s * rate)) for count in beats]
    if not plan.exact:
        return lengths
    return [(lengths[0][0], plan.end(rate) - plan.start(rate))]


def _free_length(clip: Clip, duration_s: float) -> int:
    """``duration_s`` in samples if a crossfade fits after it, else the length that leaves a full crossfade."""
    requested = round(duration_s * clip.rate)
    if requested + round(SHORTEST_CROSSFADE_S * clip.rate) <= clip.length:
        return requested
    return clip.length - min(round(CROSSFADE_S * clip.rate), clip.length // 5)


def blend(old: Samples, new: Samples) -> Samples:
    """Crossfade from ``old`` to ``new``, both of shape [channels, samples], without a corner at either end.

    Unrelated sounds keep equal power (sine and cosine), equal sounds keep equal amplitude: both gains are divided by
    sqrt(1 + r sin 2a), where r is the correlation of the two from 0 to 1 (Fink, Holters and Zoelzer, "Signal-matched
    power-complementary cross-fading and dry-wet mixing", DAFx 2016).
    """
    fading, rising = old.astype(np.float64), new.astype(np.float64)
    power = float(np.sqrt(np.vdot(fading, fading) * np.vdot(rising, rising)))
    shared = max(0.0, float(np.vdot(fading, rising)) / power) if power > 0.0 else 0.0
    rise = np.sin(0.5 * np.pi * ramp(old.shape[1]))
    fall = rise[::-1]
    even = np.sqrt(1.0 + 2.0 * shared * rise * fall)
    rising *= rise / even
    rising += fading * (fall / even)
    return rising.astype(np.float32)


def wrapped(samples: Samples, length: int, overlap: int) -> tuple[Samples, Samples]:
    """The loop of the first ``length`` samples, in two parts: its head and the rest.

    The head is a crossfade (`blend`) from the ``overlap`` samples after the loop, so that the loop's last sample leads
    to the sound that really came after it.
    """
    head = blend(samples[:, length : length + overlap], samples[:, :overlap])
    return head, samples[:, overlap:length]


def calm_upbeat(before: Samples, after: Samples, rate: int) -> int:
    """How many samples before ``after`` a loop should begin, in ``before``, to wrap in its calmest moment.

    That is where the high frequencies, which an attack has most of, are lowest. 0 if there is no room.
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
    """The clip up to ``end``, its last ``overlap`` samples blended into those before ``start`` (`blend`).

    So the last sample leads to the one at ``start``. The sound before the crossfade does not change.
    """
    samples = clip.samples[:, :end].copy()
    if overlap:
        samples[:, end - overlap :] = blend(
            clip.samples[:, end - overlap : end], clip.samples[:, start - overlap : start]
        )
    return Clip(samples, clip.rate)


def _cut(clip: Clip, start: int, length: int) -> tuple[Samples, Samples, dict[str, Any]]:
    """The loop of ``length`` samples from ``start`` in the two parts of `wrapped`, and its record."""
    overlap = _crossfade_room(length, clip.length - start - length, clip.rate)
    record = {
        "start_s": round(start / clip.rate, 6),
        "length_s": round(length / clip.rate, 6),
        "crossfade_s": round(overlap / clip.rate, 6),
    }
    return *wrapped(clip.samples[:, start:], length, overlap), record


def _on_grid(clip: Clip, plan: LoopPlan, beats: int, length: int) -> LoopCut:
    """A loop of whole beats from the start of the clip, at the tempo that was really played."""
    played, match = (length, 0.0) if plan.exact else tempo_length(clip, length)
    overlap = round(SHORTEST_CROSSFADE_S * clip.rate)
    played = played if played + overlap <= clip.length else length
    head, body, record = _cut(clip, 0, played)
    upbeat = calm_upbeat(body, head, clip.rate)
    rotated = body.shape[1] - upbeat
    samples = np.concatenate([body[:, rotated:], head, body[:, :rotated]], axis=1)
    record |= {
        "upbeat_s": round(upbeat / clip.rate, 6),
        "beats": beats,
        "bpm": round(beats * 60.0 * clip.rate / played, 3),
        "match": match,
        "shortened": length < _lengths(plan, clip.rate)[0][1],
    }
    return LoopCut(Clip(samples, clip.rate), Loop(0, played), record)


def _free(clip: Clip, plan: LoopPlan) -> LoopCut:
    """A loop in free time with the start that gives the least audible seam; it keeps a beat that is clearly there."""
    length, match = _free_length(clip, plan.loop_s), None
    if not plan.exact:
        length, match = tempo_length(clip, length, _FREE_DRIFT)
    length = min(length, clip.length - min(round(SHORTEST_CROSSFADE_S * clip.rate), clip.length // 5))
    overlap = _crossfade_room(length, clip.length - length, clip.rate)
    start, difference = best_start(clip, length, overlap)
    *parts, record = _cut(clip, start, length)
    record |= {
        "beats": None,
        "match": match,
        "difference_db": difference,
        "shortened": length < round(plan.loop_s * clip.rate * (1.0 - _FREE_DRIFT)),
    }
    return LoopCut(Clip(np.concatenate(parts, axis=1), clip.rate), Loop(0, length), record)


def _after_intro(clip: Clip, plan: LoopPlan) -> LoopCut:
    """An unchanged intro, and a loop whose end is blended into the sound before its start."""
    start, rate = plan.start(clip.rate), clip.rate
    lengths = _lengths(plan, rate)
    requested = lengths[0][1]
    if plan.exact and 0 < start + requested - clip.length <= max(1, round(_ROUNDED_S * rate)):
        # In the crossfade the sound before the start replaces the missing samples.
        clip = pad_end(clip, start + requested)
    room = clip.length - start
    beats, length = next((pair for pair in lengths if pair[1] <= room), (0, room))
    before = min(start, round(_BEFORE_S * rate))
    match = None
    if not plan.exact:
        played, match = tempo_length(Clip(clip.samples[:, start - before :], rate), length)
        length = played if played <= room else length
    upbeat = 0 if plan.exact else calm_upbeat(clip.samples[:, :start], clip.samples[:, start:], rate)
    first, end = start - upbeat, start - upbeat + length
    overlap = _crossfade_room(length, first, rate)
    record = {
        "start_s": 0.0,
        "intro_s": round(first / rate, 6),
        "length_s": round(length / rate, 6),
        "crossfade_s": round(overlap / rate, 6),
        "upbeat_s": round(upbeat / rate, 6),
        "beats": beats or None,
        "bpm": round(beats * 60.0 * rate / length, 3) if beats else None,
        "match": match,
        "shortened": length < 0.98 * requested,
    }
    return LoopCut(crossfade_back(clip, first, end, overlap), Loop(first, end), record)


def cut_loop(
    clip: Clip, duration_s: float, bpm: float | None, *, intro_s: float = 0.0, exact: bool = False
) -> LoopCut:
    """A loop of about ``duration_s`` seconds from ``clip``, after an intro of ``intro_s`` that plays once.

    With ``bpm`` it starts with the clip (a few milliseconds earlier, so that it does not wrap in an attack) and lasts
    whole bars of four beats, or whole beats if not even one bar fits. If the rhythm clearly repeats up to 1 % sooner or
    later, the loop follows the tempo that was really played. In free time it lasts ``duration_s`` and starts where its
    seam is least audible; it changes its length by up to 4 % to keep a beat that is clearly there. With ``exact`` it
    follows no tempo, and intro and loop together have the requested length to the sample. If the clip is too short for
    that and a crossfade, the loop is shorter, and ``record["shortened"]`` is true; with ``exact`` it raises
    `MasteringError` instead, like a clip that is too short to loop at all.
    """
    plan = LoopPlan(duration_s, bpm, intro_s, exact)
    if clip.length - round(intro_s * clip.rate) < 8:
        raise MasteringError("the take is too short to loop; generate a longer one (raise duration)")
    room = clip.length - round(SHORTEST_CROSSFADE_S * clip.rate)
    grid = next((pair for pair in _lengths(plan, clip.rate) if bpm and pair[1] <= room), None)
    if intro_s:
        loop_cut = _after_intro(clip, plan)
    elif grid:
        loop_cut = _on_grid(clip, plan, *grid)
    else:
        loop_cut = _free(clip, plan)
    if exact and loop_cut.clip.length != plan.end(clip.rate):
        raise MasteringError(
            f"a take of {clip.seconds:.3f} s is too short for a loop of exactly {duration_s:.3f} s with a crossfade; "
            "lower duration, or remove exact"
        )
    return loop_cut
