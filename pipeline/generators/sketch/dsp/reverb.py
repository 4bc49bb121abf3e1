"""Reverb: impulse responses made of noise whose high frequencies decay faster, and fast convolution."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import scipy.fft

from pipeline.generators.sketch.dsp.filters import fold, high_pass_gain, low_pass_gain, time_varying
from pipeline.generators.sketch.dsp.units import DECAY_60_DB, RATE, Audio, Mix, generator, samples


class Space(NamedTuple):
    """A reverb: decay times in seconds (low and high frequencies), predelay, filters and early reflections."""

    t60: float
    t60_high: float
    delay: float
    low_cut: float = 120.0
    high_cut: float = 9000.0
    early: float = 0.6
    """Level of single early reflections against the tail."""


SPACES = {
    "closet": Space(0.16, 0.10, 0.001, 160, 8000, 1.2),
    "room": Space(0.45, 0.28, 0.004, 140, 9000, 1.0),
    "chamber": Space(1.1, 0.65, 0.010, 130, 8500),
    "plate": Space(1.7, 1.1, 0.012, 220, 12000, 0.0),
    "hall": Space(2.3, 1.0, 0.022, 120, 7500),
    "cathedral": Space(4.2, 1.6, 0.035, 110, 6500, 0.4),
    "cave": Space(2.9, 0.8, 0.030, 90, 4500, 1.3),
    "outdoor": Space(1.3, 0.35, 0.060, 90, 4000, 1.6),
}


@cache
def impulse(name: str) -> Mix:
    """The stereo impulse response [2, samples] of a space, of energy 1 a channel. It is the same in every process."""
    space = SPACES[name]
    length = samples(space.t60 * 1.1 + space.delay)
    start = samples(space.delay)
    sides = []
    for side in range(2):
        rng = generator(0x5ACE, sorted(SPACES).index(name), side)
        tail = time_varying(rng.standard_normal(length - start), lambda hz, at: _tail(space, hz, at), 1024)
        tail *= np.minimum(1.0, np.arange(len(tail)) / (0.012 * RATE))
        tail /= np.sqrt(np.sum(tail * tail))
        response = np.concatenate([np.zeros(start), tail])
        for _ in range(9):
            at = start // 2 + int(rng.uniform(0.15, 1.0) ** 1.5 * RATE * (0.012 + 0.02 * space.t60))
            if at < length:
                response[at] += rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 1.0) * 0.22 * space.early
        sides.append(response / np.sqrt(np.sum(response * response)))
    return np.stack(sides).astype(np.float32)


def _tail(space: Space, hz: Audio, place: Audio) -> Audio:
    height = np.clip(np.log2(hz / 500.0) / 4.0, 0.0, 1.0)
    t60 = space.t60 * (space.t60_high / space.t60) ** height
    seconds = place * space.t60 * 1.1
    colour = high_pass_gain(hz, space.low_cut) * low_pass_gain(hz, space.high_cut)
    return np.asarray(np.exp(-DECAY_60_DB * seconds / t60) * colour)


def convolve(audio: Mix, response: Mix, loop: bool) -> Mix:
    """Convolve each channel [channels, samples] with its own response, in blocks, to the same length.

    A ``loop`` wraps: what rings beyond the end rings on at the start, which is circular convolution.
    """
    length, tail = audio.shape[1], response.shape[1]
    size = scipy.fft.next_fast_len(max(1 << 15, 2 * tail), real=True)
    block = size - tail + 1
    kernel = scipy.fft.rfft(response, size, axis=1)
    out = np.zeros((audio.shape[0], length + tail), dtype=np.float32)
    for start in range(0, length, block):
        piece = audio[:, start : start + block]
        wet = scipy.fft.irfft(scipy.fft.rfft(piece, size, axis=1) * kernel, size, axis=1)
        span = min(piece.shape[1] + tail - 1, out.shape[1] - start)
        out[:, start : start + span] += wet[:, :span]
    if not loop:
        return out[:, :length]
    return np.asarray(fold(out, length), dtype=np.float32)


def add_space(audio: Audio, name: str, wet: float, loop: bool = False) -> Audio:
    """``audio`` [samples] or [channels, samples] with a room around it; ``wet`` is the reverb's level.

    Mono stays mono: the room's left channel.
    """
    if name == "dry":
        return audio
    channels = np.atleast_2d(audio).astype(np.float32)
    response = impulse(name)[: channels.shape[0]]
    reverberant = convolve(channels, response, loop).astype(np.float64)
    return audio + wet * reverberant.reshape(audio.shape)
