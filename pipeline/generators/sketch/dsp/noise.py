"""Noise of any colour, and slow random control curves. All are periodic, so they loop by construction."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import scipy.fft

from pipeline.generators.sketch.dsp import envelopes
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, samples

Curve = Callable[[Audio], Audio]
"""Amplitude over frequency in Hz."""


def shaped(rng: Rng, n: int, curve: Curve) -> Audio:
    """Gaussian noise with the spectrum ``curve``, RMS 1, that repeats every ``n`` samples without a seam."""
    if n < 4:
        return np.zeros(n)
    spectrum = scipy.fft.rfft(rng.standard_normal(n, dtype=np.float32))
    gain = curve(np.maximum(np.arange(len(spectrum)) * (RATE / n), 1.0))
    gain[0] = 0.0
    spectrum *= gain.astype(np.float32)
    noise = np.asarray(scipy.fft.irfft(spectrum, n), dtype=np.float64)
    return noise / max(float(np.sqrt(np.mean(noise * noise))), 1e-9)


def coloured(rng: Rng, n: int, slope_db: float = 0.0, low: float = 20.0, high: float = 20_000.0) -> Audio:
    """Noise of RMS 1 from ``low`` to ``high`` Hz that falls by ``slope_db`` an octave (3: pink, 6: brown)."""
    return shaped(rng, n, lambda hz: power_slope(hz, slope_db) * band_edges(hz, low, high))


def burst(
    rng: Rng, seconds: float, t60: float, slope_db: float, low: float, high: float, attack: float = 0.001
) -> Audio:
    """`coloured` noise under `envelopes.decay`."""
    n = samples(seconds)
    return coloured(rng, n, slope_db, low, high) * envelopes.decay(n, t60, attack)


def power_slope(hz: Audio, slope_db: float) -> Audio:
    """Amplitude that falls by ``slope_db`` an octave, 1 at 1 kHz."""
    return np.asarray((hz / 1000.0) ** (-slope_db / 6.0206))


def band_edges(hz: Audio, low: float, high: float) -> Audio:
    """Amplitude of a band with soft edges, about 24 dB an octave beyond them."""
    return np.asarray(1.0 / np.sqrt((1.0 + (low / hz) ** 8) * (1.0 + (hz / high) ** 8)))


def bell(hz: Audio, centre: float | Audio, octaves: float | Audio) -> Audio:
    """A bell around ``centre`` Hz, ``octaves`` wide at about -4 dB to each side."""
    return np.asarray(np.exp(-0.5 * (np.log2(hz / centre) / octaves) ** 2))


def bells(hz: Audio, peaks: Iterable[tuple[float, float, float]], floor: float = 0.0) -> Audio:
    """A sum of `bell` over ``floor``: each with its centre in Hz, its gain and its width in octaves."""
    return sum((gain * bell(hz, centre, octaves) for centre, gain, octaves in peaks), np.asarray(floor))


def drift(rng: Rng, n: int, hz: float) -> Audio:
    """A smooth periodic random curve around 0, within about -1..1, that moves at up to ``hz``."""
    cycles = max(1, round(hz * n / RATE))
    points = max(8, 8 * cycles)
    spectrum = np.zeros(points // 2 + 1, dtype=np.complex128)
    spectrum[1 : cycles + 1] = rng.standard_normal(cycles) + 1j * rng.standard_normal(cycles)
    curve = np.fft.irfft(spectrum, points)
    curve /= max(float(np.sqrt(np.mean(curve * curve))) * 2.0, 1e-9)
    place = np.arange(n) * (points / n)
    return np.asarray(np.tanh(np.interp(place, np.arange(points + 1), np.append(curve, curve[0])) * 1.1))
