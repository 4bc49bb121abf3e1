"""Detect a splice: does the sound after a position continue the sound before it?

Continuous sound can be predicted from its past; a spliced sound cannot. The measure is the log-likelihood ratio of the
two cases under one autoregressive model of both sides, in nats. No test is sharper for Gaussian sound with a known
spectrum; here the spectrum is estimated. An attack or the end of a note is rare in either case, so its samples get a
low weight by Student's t (Lange, Little and Taylor, "Robust Statistical Modeling Using the t Distribution", JASA 84,
1989).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import firwin, resample_poly

from pipeline.audio import Floats, Samples

_DEGREES_OF_FREEDOM = 4.0
"""Degrees of freedom of the t distribution."""
_FAINT = 1e-8
"""Share of the total power below which a component of the channels is ignored."""
_NOISE_FLOOR = 1e-9
"""White noise added to the model, so that silence between bands proves nothing."""
_ONSET_RATIO = 16.0
"""A new sound begins where the squared residual of the second side exceeds its mean so far by this factor."""
_STAGE = 4
_NEAR = 5
"""Number of orders on each side over which the usual residual is measured."""
_MIN_ORDER = 8
_ORDERS_PER_WINDOW = 12
"""A window must be at least this many orders long for a usable model."""


class Resolution(NamedTuple):
    """A sample rate and a window at which both sides are compared."""

    rate_hz: float
    """Approximate: the clip's own rate is divided by a power of 4."""
    order: int
    window_s: float
    """Length on each side."""
    floor: float
    """Share of the local power; a smaller prediction error does not count, because a crossfade has one of its own."""


RESOLUTIONS = (
    Resolution(48_000.0, 64, 0.15, 1e-9),
    Resolution(12_000.0, 128, 0.6, 1e-5),
    Resolution(3_000.0, 128, 1.6, 1e-4),
    Resolution(750.0, 96, 2.5, 1e-4),
)
"""The first shows edges and timbre; the others show low tones, their beating and the turns of a motor."""


def _components(samples: Floats) -> Floats:
    """Uncorrelated components of the channels, shape [channels, samples], without those of almost no power.

    So two channels with the same sound count once.
    """
    if len(samples) == 1:
        return samples
    power, axes = np.linalg.eigh(samples @ samples.T)
    return np.asarray(axes[:, power > _FAINT * max(float(power[-1]), 1e-30)].T @ samples)


def _autocorrelation(waves: Floats, order: int) -> Floats:
    """Autocorrelation of each wave at unit power, for lags 0 to ``order``: [waves, samples] to [waves, lags]."""
    size = next_fast_len(waves.shape[1] + order, real=True)
    spectra = rfft(waves * np.hanning(waves.shape[1]), size)
    lags = irfft(np.square(spectra.real) + np.square(spectra.imag), size)[:, : order + 1]
    return np.asarray(lags / lags[:, :1])


def _predictors(lags: Floats) -> tuple[Floats, Floats]:
    """Prediction-error filters of every order from 0 to n and the power of their residuals, from n + 1 lags of each
    wave: [waves, lags] to [waves, orders, samples] and [waves, orders].

    Row k holds the filter of order k, for the sample at k and those before it. Except for the scale, this is the
    inverse of the Cholesky factor of the Toeplitz matrix of the lags. Levinson's recursion is used, because at this
    size a threaded BLAS spends more time on its threads than on the work.
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


def _negative_log_likelihood(squares: Floats) -> Floats:
    return np.asarray(0.5 * (_DEGREES_OF_FREEDOM + 1.0) * np.log1p(squares / _DEGREES_OF_FREEDOM))


def _scale(residual: Floats, first: Floats, last: Floats, least: Floats) -> Floats:
    """The scale of residuals of each wave: the largest of the usual residual on either side and of the residual of
    either side by itself at the position. So an attack there weakens the evidence instead of adding to it."""
    blocks = np.square(residual.reshape(len(residual), 2 * _NEAR, -1)).mean(axis=2)
    before, after = blocks[:, :_NEAR], blocks[:, _NEAR + 1 :]
    usual = (before.mean(axis=1), after.mean(axis=1), before[:, -1], after[:, 0])
    alone = (first.mean(axis=1), last.mean(axis=1))
    return np.asarray(np.maximum(np.max([*usual, *alone, least], axis=0), 1e-30))


def _before_onset(first: Floats) -> npt.NDArray[np.bool_]:
    """The samples before a new sound begins: before a squared residual far above the earlier ones."""
    positions = np.arange(1, first.shape[1] + 1)
    usual = np.cumsum(first, axis=1) / positions
    onset = first[:, 1:] > _ONSET_RATIO * usual[:, :-1]
    onset[:, : _MIN_ORDER - 1] = False
    return np.pad(np.cumsum(onset, axis=1) == 0, ((0, 0), (1, 0)), constant_values=True)


def _evidence(before: Floats, after: Floats, order: int, floor: float) -> Floats:
    """Evidence in nats, for each wave, that ``after`` continues ``before`` and was not spliced on; shapes
    [waves, samples]."""
    lags = _autocorrelation(before, order) + _autocorrelation(after, order)
    lags /= lags[:, :1]
    lags[:, 0] += _NOISE_FLOOR
    filters, left = _predictors(lags)
    alone = filters[:, :order, :order] / np.sqrt(left[:, :order, None])
    near = np.concatenate([before[:, -(_NEAR + 1) * order :], after[:, : _NEAR * order]], axis=1)
    past = np.lib.stride_tricks.sliding_window_view(near, order + 1, axis=1)
    residual = np.einsum("wnk,wk->wn", past, filters[:, order] / np.sqrt(left[:, order:]))
    first = np.square(np.einsum("wok,wk->wo", alone, after[:, :order]))
    last = np.square(np.einsum("wok,wk->wo", alone, before[:, : -order - 1 : -1]))
    power = np.maximum(*(np.square(side).mean(axis=1) for side in np.split(near[:, order:], 2, axis=1)))
    scale = _scale(residual, first, last, floor * power / left[:, order])[:, None]
    predicted = np.square(residual[:, _NEAR * order : (_NEAR + 1) * order])
    info = 0.5 * np.log(left[:, :order] / left[:, order:])
    nats = _negative_log_likelihood(first / scale) - _negative_log_likelihood(predicted / scale) + info
    return np.asarray((nats * _before_onset(first)).sum(axis=1))


@lru_cache
def _low_pass(factor: int) -> Samples:
    """Low-pass taps for taking every ``factor``-th sample; the lowest quarter of the new band is free of aliases."""
    return np.asarray(firwin(6 * factor + 1, 1.0 / factor, window=("kaiser", 6.0)), np.float32)


def _downsampled(samples: Samples, factor: int) -> Samples:
    """Every ``factor``-th sample of ``samples``, shape [channels, samples], without aliases; a power of 4."""
    first, last = factor // _STAGE, _STAGE
    if first > 1:
        samples = resample_poly(samples, 1, first, axis=1, window=_low_pass(first))
    return np.asarray(resample_poly(samples, 1, last, axis=1))


def continuity(around: Samples, rate: int, resolution: Resolution) -> float:
    """Evidence in nats that the sound continues across the middle of ``around``, shape [channels, samples].

    Above 0 it continues, below 0 it was spliced, and near 0 neither can be said, as in white noise. 0 also when there
    is too little sound.
    """
    factor = _STAGE ** max(0, round(math.log(rate / resolution.rate_hz, _STAGE)))
    reach = min(round(resolution.window_s * rate), around.shape[1] // 2)
    middle = around.shape[1] // 2
    window = around[:, middle - reach : middle + reach]
    near = (_downsampled(window, factor) if factor > 1 else window).astype(np.float64)
    half = near.shape[1] // 2
    order = min(resolution.order, half // _ORDERS_PER_WINDOW)
    if order < _MIN_ORDER:
        return 0.0
    waves = _components(near)
    sides = np.square(waves[:, : 2 * half].reshape(len(waves), 2, half)).mean(axis=2)
    waves = waves[(sides > 1e-12).all(axis=1)]
    if not len(waves):
        return 0.0
    return float(_evidence(waves[:, :half], waves[:, half : 2 * half], order, resolution.floor).sum())
