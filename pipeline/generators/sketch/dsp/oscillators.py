"""Periodic sources: phases, sines and band-limited wavetables."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng

HIGHEST_HZ = 18_500.0
"""No partial is made above this, so that vibrato and sweeps stay clear of half the rate."""
_TABLE = 2048


def cycles(hz: Audio | float, n: int, start: float = 0.0) -> Audio:
    """Phase in cycles (not wrapped) of an oscillator at ``hz``, a number or one value a sample."""
    if isinstance(hz, float | int):
        return start + np.arange(n) * (hz / RATE)
    phase: Audio = np.cumsum(hz[:n]) / RATE
    return phase + (start - float(hz[0]) / RATE)


def sine(hz: Audio | float, n: int, start: float = 0.0) -> Audio:
    """A sine of amplitude 1; ``start`` is its phase in cycles."""
    phase = cycles(hz, n, start)
    return np.asarray(np.sin((phase - np.floor(phase)) * (2.0 * np.pi)))


def partials_below(hz: float, most: int = 64) -> int:
    """How many harmonics of ``hz`` stay clear of half the rate, from 1 to ``most``."""
    return int(np.clip(HIGHEST_HZ // max(hz, 1.0), 1, most))


def harmonics(shape: str, count: int, width: float = 0.5) -> Audio:
    """Amplitudes of the first ``count`` harmonics of ``saw``, ``square``, ``triangle`` or ``pulse``.

    ``width`` is a pulse's duty cycle.
    """
    order = np.arange(1, count + 1, dtype=np.float64)
    if shape == "square":
        return np.where(order % 2 == 1, 1.0 / order, 0.0)
    if shape == "triangle":
        return np.where(order % 2 == 1, 1.0 / order**2, 0.0)
    if shape == "pulse":
        return np.abs(np.sin(np.pi * order * width)) / order
    return 1.0 / order


def table(amplitudes: Audio) -> Audio:
    """One cycle with these harmonic amplitudes, peak 1, plus its first sample again for interpolation."""
    spectrum = np.zeros(_TABLE // 2 + 1, dtype=np.complex128)
    count = min(len(amplitudes), _TABLE // 4)
    spectrum[1 : count + 1] = -1j * amplitudes[:count]
    wave = np.fft.irfft(spectrum, _TABLE)
    wave /= max(float(np.max(np.abs(wave))), 1e-9)
    return np.append(wave, wave[0])


def look_up(wave: Audio, phase: Audio) -> Audio:
    """Read a `table` at a phase in cycles, interpolating between its samples."""
    place = (phase - np.floor(phase)) * _TABLE
    index = place.astype(np.int64)
    left = wave[index]
    return left + (place - index) * (wave[index + 1] - left)


def tone(shape: str, hz: Audio | float, n: int, start: float = 0.0, width: float = 0.5) -> Audio:
    """A band-limited oscillator of amplitude 1; its harmonics fit the highest frequency that it reaches."""
    highest = float(np.max(hz))
    wave = table(harmonics(shape, partials_below(highest, 400), width))
    return look_up(wave, cycles(hz, n, start))


def vibrato(n: int, hz: float, cents: float, rng: Rng, delay_s: float = 0.25) -> Audio:
    """Frequency factor of a vibrato that grows in after ``delay_s`` and wanders a little."""
    time = np.arange(n) / RATE
    depth = np.clip((time - delay_s) / 0.4, 0.0, 1.0)
    wander = np.sin(2 * np.pi * (0.31 * time + rng.random())) * 0.15
    swing = np.sin(2 * np.pi * ((hz * time) + wander + rng.random()))
    return np.exp2(cents / 1200.0 * depth * swing)
