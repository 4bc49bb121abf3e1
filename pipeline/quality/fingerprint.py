"""Detect near-duplicates: compare two spectra band by band, with phase, at the best time shift.

A copy keeps the phase of every partial after a change of gain, polarity, trim, equalisation, rate or coding; another
take of the same prompt does not. So the cross-spectrum, aligned to the shift with the highest correlation, adds up for
a copy and cancels for another take. Bands are weighted by the square root of their energy, so that one strong shared
tone does not dominate, and a band that is missing in one sound counts little. Round-robin variations must differ, or
the player hears the same sound again.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft

from pipeline.audio import Clip, Floats, resample

_WAVE_HZ = 16_000
_WAVE_S = 10.0
_LOWEST_HZ, _HIGHEST_HZ = 40.0, 7000.0
_BANDS = 20
_FINE = np.arange(-8, 9) / 8
"""Fractional shifts to test, in samples."""
_OTHER_SOUND = 0.3
"""A copy always has a higher correlation than this."""
_SIDE_ONLY = 0.05
"""If the mid signal has a lower share of the energy, the sound is in the side signal."""

Fingerprint = Floats
"""The first 10 s of a sound in mono at 16 kHz, of energy 1 (0 for silence); shape [samples]."""


def fingerprint(clip: Clip) -> Fingerprint:
    """The fingerprint of ``clip``, of any length. NaN and infinity count as zero."""
    samples = np.nan_to_num(clip.samples[:, : round(_WAVE_S * clip.rate)], nan=0.0, posinf=0.0, neginf=0.0)
    mono = _mono(samples)
    if not mono.size:
        return np.zeros(0)
    wave = resample(Clip(mono, clip.rate), _WAVE_HZ).samples[0].astype(np.float64)
    energy = float(wave @ wave)
    return np.asarray(wave / np.sqrt(energy) if energy > 0.0 else wave, np.float64)


def _mono(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The mean of all channels, or the first channel minus the mean if the channels cancel."""
    middle = samples.mean(axis=0, keepdims=True)
    if np.square(middle).sum() * len(samples) < _SIDE_ONLY * np.square(samples).sum():
        return np.ascontiguousarray(samples[:1] - middle)
    return np.asarray(middle)


def likeness(one: Fingerprint, other: Fingerprint) -> float:
    """From 0 (another sound) to 1 (a copy, whatever its level, trim or coding)."""
    size = next_fast_len(len(one) + len(other) + 1, real=True)
    first, second = rfft(one, size), rfft(other, size)
    cross = first * second.conj()
    correlation = np.abs(irfft(cross, size))
    if correlation.max(initial=0.0) < _OTHER_SOUND:
        return 0.0
    hertz = np.arange(len(cross)) * _WAVE_HZ / size
    edges = np.searchsorted(hertz, np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _BANDS + 1))
    edges = np.unique(np.maximum(edges, 1))
    if len(edges) < 2:
        return 0.0
    inside = slice(edges[0], edges[-1])
    energies = [np.add.reduceat(np.abs(part[inside]) ** 2, edges[:-1] - edges[0]) for part in (first, second)]
    shared = np.sqrt(energies[0] * energies[1])
    turned = [
        np.add.reduceat(
            (cross[inside] * np.exp(2j * np.pi * hertz[inside] * shift / _WAVE_HZ)).real,
            edges[:-1] - edges[0],
        )
        for shift in int(correlation.argmax()) + _FINE
    ]
    best = max(turned, key=lambda bands: abs(float(bands.sum())))
    weights = np.sqrt(shared)
    weighted = float((weights * best / np.maximum(shared, 1e-30)).sum() / max(float(weights.sum()), 1e-30))
    return min(1.0, abs(weighted))
