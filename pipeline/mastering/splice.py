"""Does what follows a place go on from what comes before it, or was it put there?

Sound that goes on can be foretold from its past; what was spliced on cannot. The measure is the log-likelihood
ratio of the two cases under one autoregressive model of both sides, in nats: no test is sharper for Gaussian sound
whose spectrum is known, and here it is estimated. An attack or a note's end is rare under either case, so its
samples are weighed by Student's t (Lange, Little and Taylor, "Robust Statistical Modeling Using the t
Distribution", JASA 84, 1989) and say little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import firwin, resample_poly

from pipeline.audio import Samples

Floats = npt.NDArray[np.float64]

_DEGREES = 4.0
"""Of freedom of the t distribution."""
_FAINT = 1e-8
"""Power, of the whole, below which a component of the channels is left out."""
_FLOOR = 1e-9
"""White noise added to the model, so that silence between bands is no proof of anything."""
_SETS_IN = 16.0
"""Surprise of what comes after by itself, over the mean so far, from which on something new has set in."""
_STAGE = 4
_NEAR = 5
"""Orders to each side from which what is usual there is taken."""
_FEWEST = 8
_ROOM = 12
"""Orders that a window must hold for its model to be worth something."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """How finely the two sides are looked at."""

    rate_hz: float
    """About; reached by dividing the clip's own rate by a power of 4."""
    order: int
    window_s: float
    """To each side."""
    floor: float
    """Share of the local power below which what cannot be foretold is not counted: a crossfade's own slope."""


RESOLUTIONS = (
    Resolution(48_000.0, 64, 0.15, 1e-9),
    Resolution(12_000.0, 128, 0.6, 1e-5),
    Resolution(3_000.0, 128, 1.6, 1e-4),
    Resolution(750.0, 96, 2.5, 1e-4),
)
"""The first hears edges and colour, the others low tones, their beating and the turns of a motor."""


def _components(samples: Floats) -> Floats:
    """Channels of shape [channels, samples] turned into uncorrelated ones; those next to nothing are left out.

    So two channels that hold the same sound count once.
    """
    if len(samples) == 1:
        return samples
    power, axes = np.linalg.eigh(samples @ samples.T)
    return np.asarray(axes[:, power > _FAINT * max(float(power[-1]), 1e-30)].T @ samples)


def _autocorrelation(waves: Floats, order: int) -> Floats:
    """Of each wave at unit power, for lags 0 to ``order``; shapes [waves, samples], [waves, lags]."""
    size = next_fast_len(waves.shape[1] + order, real=True)
    spectra = rfft(waves * np.hanning(waves.shape[1]), size)
    lags = irfft(np.square(spectra.real) + np.square(spectra.imag), size)[:, : order + 1]
    return np.asarray(lags / lags[:, :1])


def _predictors(lags: Floats) -> tuple[Floats, Floats]:
    """Prediction-error filters of every order from 0 to n, and what each leaves of the power, for n + 1 lags
    of each wave; shapes [waves, lags] to [waves, orders, samples] and [waves, orders].

    Row k holds the filter of order k, for the sample at k and those before it: the inverse of the Cholesky
    factor of the Toeplitz matrix of the lags, but for its scale. Levinson's recursion, because at this size
    a BLAS that goes looking for threads takes longer than the work.
    """
    waves, size = lags.shape
    filters, left = np.zeros((waves, size, size)), np.empty((waves, size))
    filters[:, 0, 0], left[:, 0] = 1.0, lags[:, 0]
    for step in range(1, size):
        before = filters[:, step - 1, :step]
        reflection = -np.einsum("wk,wk->w", before, lags[:, 1 : step + 1]) / left[:, step - 1]
        filters[:, step, 1 : step + 1] = before
        filters[:, step, :step] += reflection[:, None] * before[:, ::-1]
        left[:, step] = np.maximum(left[:, step - 1] * (1.0 - np.square(reflection)), 1e-15)
    return filters, left


def _surprise(squares: Floats) -> Floats:
    return np.asarray(0.5 * (_DEGREES + 1.0) * np.log1p(squares / _DEGREES))


def _scale(residual: Floats, first: Floats, last: Floats, least: Floats) -> Floats:
    """What surprise is counted by, of each wave: the largest of what is usual on either side and of what either
    side holds by itself at the place, so that an attack there takes away the evidence instead of being it."""
    blocks = np.square(residual.reshape(len(residual), 2 * _NEAR, -1)).mean(axis=2)
    before, after = blocks[:, :_NEAR], blocks[:, _NEAR + 1 :]
    usual = (before.mean(axis=1), after.mean(axis=1), before[:, -1], after[:, 0])
    alone = (first.mean(axis=1), last.mean(axis=1))
    return np.asarray(np.maximum(np.max([*usual, *alone, least], axis=0), 1e-30))


def _before_anew(first: Floats) -> npt.NDArray[np.bool_]:
    """Up to where nothing new sets in: a surprise, of what comes after by itself, far above those before it."""
    places = np.arange(1, first.shape[1] + 1)
    usual = np.cumsum(first, axis=1) / places
    anew = first[:, 1:] > _SETS_IN * usual[:, :-1]
    anew[:, : _FEWEST - 1] = False
    return np.pad(np.cumsum(anew, axis=1) == 0, ((0, 0), (1, 0)), constant_values=True)


def _evidence(before: Floats, after: Floats, order: int, floor: float) -> Floats:
    """Nats by which it is likelier that ``after`` goes on from ``before`` than that it was spliced on, of each
    wave; shapes [waves, samples]."""
    lags = _autocorrelation(before, order) + _autocorrelation(after, order)
    lags /= lags[:, :1]
    lags[:, 0] += _FLOOR
    filters, left = _predictors(lags)
    alone = filters[:, :order, :order] / np.sqrt(left[:, :order, None])
    near = np.concatenate([before[:, -(_NEAR + 1) * order :], after[:, : _NEAR * order]], axis=1)
    past = np.lib.stride_tricks.sliding_window_view(near, order + 1, axis=1)
    residual = np.einsum("wnk,wk->wn", past, filters[:, order] / np.sqrt(left[:, order:]))
    first = np.square(np.einsum("wok,wk->wo", alone, after[:, :order]))
    last = np.square(np.einsum("wok,wk->wo", alone, before[:, : -order - 1 : -1]))
    power = np.maximum(*(np.square(side).mean(axis=1) for side in np.split(near[:, order:], 2, axis=1)))
    scale = _scale(residual, first, last, floor * power / left[:, order])[:, None]
    known = np.square(residual[:, _NEAR * order : (_NEAR + 1) * order])
    info = 0.5 * np.log(left[:, :order] / left[:, order:])
    nats = _surprise(first / scale) - _surprise(known / scale) + info
    return np.asarray((nats * _before_anew(first)).sum(axis=1))


@lru_cache
def _low_pass(factor: int) -> Samples:
    """Taps that keep a quarter of what is left after taking every ``factor``-th sample free of aliases."""
    return np.asarray(firwin(6 * factor + 1, 1.0 / factor, window=("kaiser", 6.0)), np.float32)


def _slower(samples: Samples, factor: int) -> Samples:
    """Every ``factor``-th sample, a power of 4, of ``samples`` of shape [channels, samples] without aliases."""
    first, last = factor // _STAGE, _STAGE
    if first > 1:
        samples = resample_poly(samples, 1, first, axis=1, window=_low_pass(first))
    return np.asarray(resample_poly(samples, 1, last, axis=1))


def continuity(around: Samples, rate: int, resolution: Resolution) -> float:
    """How much speaks for the sound going on across the middle of ``around``, shape [channels, samples].

    In nats: above 0 it goes on, below 0 it was spliced, and near 0 nothing can be told, as in white noise.
    0 also where there is too little sound.
    """
    factor = _STAGE ** max(0, round(math.log(rate / resolution.rate_hz, _STAGE)))
    reach = min(round(resolution.window_s * rate), around.shape[1] // 2)
    middle = around.shape[1] // 2
    heard = around[:, middle - reach : middle + reach]
    near = (_slower(heard, factor) if factor > 1 else heard).astype(np.float64)
    half = near.shape[1] // 2
    order = min(resolution.order, half // _ROOM)
    if order < _FEWEST:
        return 0.0
    waves = _components(near)
    sides = np.square(waves[:, : 2 * half].reshape(len(waves), 2, half)).mean(axis=2)
    waves = waves[(sides > 1e-12).all(axis=1)]
    if not len(waves):
        return 0.0
    return float(_evidence(waves[:, :half], waves[:, half : 2 * half], order, resolution.floor).sum())
