"""Tone sources: sines, band-limited wavetables, damped modes, plucked strings, bubbles and ensembles."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy.fft

from pipeline.generators.sketch.dsp.units import DECAY_60_DB, RATE, Audio, Rng

HIGHEST_HZ = 18_500.0
"""No partial is made above this, so that vibrato and sweeps stay clear of half the rate."""
_TABLE = 2048


def cycles(hz: Audio | float, n: int, start: float = 0.0) -> Audio:
    """Phase in cycles (not wrapped) of an oscillator at ``hz``, a number or one value a sample."""
    if isinstance(hz, float | int):
        return start + np.arange(n) * (hz / RATE)
    phase: Audio = np.cumsum(hz[:n]) / RATE
    return phase + (start - float(hz[0]) / RATE)


def sine(hz: Audio | float, n: int) -> Audio:
    """A sine of amplitude 1."""
    phase = cycles(hz, n)
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


def wave(amplitudes: Audio, phase: Audio) -> Audio:
    """A periodic wave of these harmonic amplitudes, peak 1, at a phase in cycles."""
    return look_up(table(amplitudes), phase)


def opening(dark: Audio, bright: Audio, phase: Audio, share: Audio) -> Audio:
    """A `wave` that changes between two sets of harmonic amplitudes; ``share`` is the bright one's, 0 to 1."""
    return wave(dark, phase) * (1.0 - share) + wave(bright, phase) * share


def tone(shape: str, hz: Audio | float, n: int, start: float = 0.0, width: float = 0.5) -> Audio:
    """A band-limited oscillator of amplitude 1; its harmonics fit the highest frequency that it reaches."""
    highest = float(np.max(hz))
    wave = table(harmonics(shape, partials_below(highest, 400), width))
    return look_up(wave, cycles(hz, n, start))


def whole_cycles(hz: Audio, group: int = 1) -> Audio:
    """``hz``, one value a sample, scaled to a whole number of groups of cycles, at least one: so it loops."""
    cycles = float(np.sum(hz)) / RATE
    return hz * (max(1, round(cycles / group)) * group / cycles)


def vibrato(n: int, hz: float, cents: float, rng: Rng, delay_s: float = 0.25) -> Audio:
    """Frequency factor of a vibrato that grows in after ``delay_s`` and wanders a little."""
    time = np.arange(n) / RATE
    depth = np.clip((time - delay_s) / 0.4, 0.0, 1.0)
    wander = np.sin(2 * np.pi * (0.31 * time + rng.random())) * 0.15
    swing = np.sin(2 * np.pi * ((hz * time) + wander + rng.random()))
    return np.exp2(cents / 1200.0 * depth * swing)


Numbers = Sequence[float] | Audio
_BLOCK = 256


def ring(hz: Numbers, t60: Numbers, gains: Numbers, n: int, phases: Numbers | None = None) -> Audio:
    """A sum of damped sinusoids: frequencies in Hz, decay times to -60 dB in seconds, amplitudes.

    ``phases`` are in cycles; without them all start as sines, at 0 and without a click.
    """
    out = np.zeros(n)
    starts = np.zeros(len(hz)) if phases is None else np.asarray(phases)
    for frequency, seconds, gain, start in zip(hz, t60, gains, starts, strict=True):
        if not 5.0 < frequency < RATE * 0.45 or abs(gain) < 1e-7:
            continue
        length = min(n, int(max(seconds, 1e-3) * RATE * 1.3) + 64)
        step = -DECAY_60_DB / (max(seconds, 1e-3) * RATE) + 2j * np.pi * frequency / RATE
        turn = gain * -1j * np.exp(2j * np.pi * start)
        inner = turn * np.exp(step * np.arange(_BLOCK))
        outer = np.exp(step * _BLOCK * np.arange(-(-length // _BLOCK)))
        wave = np.multiply.outer(outer.real, inner.real) - np.multiply.outer(outer.imag, inner.imag)
        out[:length] += wave.ravel()[:length]
    return out


def pluck(hz: float, n: int, rng: Rng, t60: float, brightness: float, position: float = 0.17) -> Audio:
    """A plucked string after Karplus and Strong (Computer Music Journal 7(2), 1983), tuned by interpolation.

    ``brightness`` from 0 to 1 sets both the pick and the string's own damping; ``position`` is where along
    the string it is plucked.
    """
    period = RATE / hz
    whole = max(2, int(period - 2.0))
    offset = period - 1.0 - whole
    loss = 0.02 + 0.20 * (1.0 - brightness) ** 1.5 * min(1.0, 220.0 / hz + 0.35)
    gain = 10.0 ** (-3.0 * period / RATE / t60)
    loop = np.convolve([loss, 1.0 - 2.0 * loss, loss], _interpolator(offset)) * gain
    taps = len(loop)
    string = np.zeros(n + whole + taps)
    string[taps : taps + whole] = _pick(rng, whole, brightness, position)
    for start in range(taps + whole, len(string), whole):
        stop = min(start + whole, len(string))
        history = string[start - whole - taps + 1 : stop - whole]
        string[start:stop] = np.convolve(history, loop, mode="valid")
    return string[taps : taps + n]


def _interpolator(offset: float) -> Audio:
    """Third-order Lagrange interpolation at ``offset`` (1 to 2) samples of delay."""
    weights = (math.prod((offset - m) / (k - m) for m in range(4) if m != k) for k in range(4))
    return np.fromiter(weights, float, 4)


def _pick(rng: Rng, length: int, brightness: float, position: float) -> Audio:
    spectrum = scipy.fft.rfft(rng.standard_normal(length))
    order = np.arange(len(spectrum))
    spectrum *= np.exp(-order / len(spectrum) * (6.0 - 5.0 * brightness))
    spectrum *= 0.15 + np.abs(np.sin(np.pi * order * position))
    spectrum[0] = 0.0
    wave = np.asarray(scipy.fft.irfft(spectrum, length))
    return wave / max(float(np.max(np.abs(wave))), 1e-9)


def bubble(hz: float, n: int, rise: float = 0.1) -> Audio:
    """A bubble: a damped tone whose pitch rises (Van den Doel, Physically-based models for liquid sounds)."""
    time = np.arange(n) / RATE
    damping = 0.13 * hz + 0.0072 * hz**1.5 * 0.1
    phase = hz * (time + rise * damping * time * time / 2.0)
    attack = np.minimum(1.0, time * 3000.0)
    return np.asarray(np.sin(2.0 * np.pi * phase) * np.exp(-damping * time) * attack)


def ensemble(hz: float, amplitudes: Audio, cents: float, rng: Rng, size: int = 1 << 17) -> Audio:
    """Many players at once: a periodic table of ``size`` samples at RMS 1, each harmonic a narrow band.

    The PADsynth algorithm of P. O. Nasca: bands widen with frequency by ``cents``, phases are random.
    """
    spectrum = np.zeros(size // 2 + 1)
    bin_hz = RATE / size
    spread = 2.0 ** (cents / 1200.0) - 1.0
    for order, amplitude in enumerate(amplitudes, start=1):
        centre = hz * order
        if centre > RATE * 0.42 or amplitude < 1e-6:
            continue
        width = max(spread * centre / bin_hz, 0.7)
        middle = centre / bin_hz
        bins = np.arange(max(1, int(middle - 4 * width)), min(len(spectrum) - 1, int(middle + 4 * width) + 2))
        spectrum[bins] += amplitude / np.sqrt(width) * np.exp(-0.5 * ((bins - middle) / width) ** 2)
    phases = np.exp(2j * np.pi * rng.random(len(spectrum)))
    wave = np.asarray(scipy.fft.irfft(spectrum * phases, size))
    return wave / max(float(np.sqrt(np.mean(wave * wave))), 1e-12)
