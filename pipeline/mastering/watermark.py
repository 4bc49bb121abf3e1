"""The watermark of a master: made from the mono mix at the rate of its networks, added to all channels alike.

One mark on all channels stays in the middle and survives a fold to mono. It is made at the loudness that the master
will have, since the networks learned on sounds as people hear them, and it is never louder than the sound allows at any
moment, so that silence stays silent. A loop's mark wraps like the loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d

from pipeline.audio import Clip, Floats, Loop, Samples, resample
from pipeline.audio.decibel import amplitude, level
from pipeline.manifest.spec import MasteringSpec
from pipeline.mastering.gain import measure_levels, method_for, target_for
from pipeline.mastering.shape import Shaped
from pipeline.watermarks.protocol import Found, Watermarker, WatermarkJson

WINDOW_S = 20
"""Length that the networks get at once, so that memory does not grow with the sound."""
OVERLAP_S = 0.5
"""Crossfade between the marks of two windows, and of a loop's end into the mark before its start."""
ROOM_DB = 12.0
"""How far the mark is at least below the sound, over 20 ms. AudioSeal's paper reports a mean of 26 dB."""
AUDIBLE_DB = 30.0
"""The detector counts what is at most so far below the loudest 20 ms."""
_AROUND_S = 0.02
_SILENCE = 1e-15
"""Power; a moving average after a sound leaves less than this in digital silence."""
_RAMP_S = 0.005
_SHORTEST_S = 0.25
"""A shorter rest is no window of its own for the detector."""


@dataclass(frozen=True, eq=False)
class Watermarking:
    """What marks the masters of one asset."""

    watermarker: Watermarker
    facts: WatermarkJson
    """For the record of the step."""

    @property
    def message(self) -> int:
        """The message of the mark."""
        return int(self.facts["message"], 16)


def with_watermark(shaped: Shaped, spec: MasteringSpec, watermarking: Watermarking) -> Shaped:
    """``shaped`` with the mark of ``watermarking``, and the step in its record.

    Raises `MasteringError` for silence.
    """
    clip = shaped.clip
    method = method_for(clip.seconds)
    gain = amplitude(target_for(method, spec) - measure_levels(clip, shaped.loop).by(method))
    heard = Clip(clip.samples * np.float32(gain), clip.rate)
    mark = watermarking.facts["strength"] * _mark(heard, shaped.loop, watermarking) / gain
    below = level(_rms(mark) / _rms(clip.samples))
    step = {"step": "watermark", **watermarking.facts, "level_db": None if below is None else round(below, 1)}
    marked = Clip((clip.samples + mark).astype(np.float32), clip.rate)
    return Shaped(marked, shaped.loop, (*shaped.steps, step))


def detect(clip: Clip, watermarker: Watermarker) -> Found:
    """Look for a mark in ``clip``. Pauses and the ends of decays do not count: the mark is as quiet as they are."""
    rate = watermarker.rate_hz
    mono, size = resample(_mono(clip), rate).samples[0], WINDOW_S * rate
    windows = [mono[first : first + size] for first in range(0, max(1, mono.size), size)]
    if len(windows) > 1 and windows[-1].size < _SHORTEST_S * rate:
        windows.pop()
    found = [watermarker.find(window) for window in windows]
    power = _power(mono[None, : sum(map(len, windows))], rate)
    audible = power >= power.max(initial=0.0) * amplitude(-2 * AUDIBLE_DB)
    marked = np.concatenate([presence for presence, _ in found])[audible] > 0.5
    lengths = [max(1, window.size) for window in windows]
    bits = np.average([bits for _, bits in found], axis=0, weights=lengths)
    return Found(float(marked.mean()) if marked.size else 0.0, tuple(bits.tolist()))


def _mark(clip: Clip, loop: Loop | None, watermarking: Watermarking) -> Floats:
    """The mark of ``clip`` before its strength, shape [samples]."""
    # A loop that begins with the file comes after its own end.
    lead = round(OVERLAP_S * clip.rate) if loop and loop.start == 0 else 0
    around = Clip(clip.samples[:, np.arange(-lead, clip.length) % clip.length], clip.rate)
    mark = _at_rate(around, watermarking).astype(np.float64)
    mark *= _room(around, mark)
    if loop:
        _wrap(mark, Loop(lead + loop.start, lead + loop.end), round(OVERLAP_S * clip.rate))
    else:
        ramp = min(round(_RAMP_S * clip.rate), clip.length // 2)
        mark[:ramp] *= np.arange(ramp) / max(1, ramp)
        mark[clip.length - ramp :] *= np.arange(ramp)[::-1] / max(1, ramp)
    return mark[lead:]


def _at_rate(clip: Clip, watermarking: Watermarking) -> Samples:
    """What the network adds to the mono mix, at the rate and length of ``clip``."""
    rate = watermarking.watermarker.rate_hz
    native = resample(_mono(clip), rate).samples[0]
    made = np.zeros_like(native)
    for window, weights in _windows(native.size, rate):
        mark = watermarking.watermarker.mark(native[window], watermarking.message)
        made[window] += mark * weights
    back = resample(Clip(made[None], rate), clip.rate).samples[0]
    return np.pad(back, (0, max(0, clip.length - back.size)))[: clip.length]


def _windows(length: int, rate: int) -> Iterator[tuple[slice, Samples]]:
    """Windows over ``length`` samples, each with the weights of a crossfade; together the weights are 1."""
    size, overlap = WINDOW_S * rate, round(OVERLAP_S * rate)
    rise = ((np.arange(overlap) + 0.5) / overlap).astype(np.float32)
    for first in range(0, max(1, length - overlap), size - overlap):
        last = min(length, first + size)
        weights = np.ones(last - first, np.float32)
        if first:
            weights[:overlap] = rise
        if last < length:
            weights[-overlap:] = rise[::-1]
        yield slice(first, last), weights


def _room(clip: Clip, mark: Floats) -> Floats:
    """The factor that keeps the mark `ROOM_DB` below the sound, by sample; at most 1."""
    sound, own = _power(clip.samples, clip.rate), np.maximum(_power(mark[None], clip.rate), _SILENCE)
    sound[sound < _SILENCE] = 0.0
    return np.asarray(np.minimum(np.sqrt(sound / own) * amplitude(-ROOM_DB), 1.0))


def _power(samples: npt.NDArray[Any], rate: int) -> Floats:
    """The power of all channels around each sample, over 20 ms; shape [samples]."""
    square = np.square(samples, dtype=np.float64).mean(axis=0)
    around = uniform_filter1d(square, max(1, round(_AROUND_S * rate)), mode="nearest")
    return np.asarray(np.maximum(around, 0.0))


def _wrap(mark: Floats, loop: Loop, longest: int) -> None:
    """Let the end of the loop's mark run into its start: blend it into what comes before the start."""
    blend = min(longest, loop.start, (loop.end - loop.start) // 2)
    share = (np.arange(blend) + 1.0) / max(1, blend)
    end, before = slice(loop.end - blend, loop.end), slice(loop.start - blend, loop.start)
    mark[end] = mark[end] * (1.0 - share) + mark[before] * share


def _mono(clip: Clip) -> Clip:
    return Clip(clip.samples.mean(axis=0, keepdims=True, dtype=np.float64).astype(np.float32), clip.rate)


def _rms(samples: npt.NDArray[Any]) -> float:
    return float(np.sqrt(np.square(samples, dtype=np.float64).mean()))
