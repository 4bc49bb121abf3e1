"""What the studio set is made with: noise of a colour, filters, envelopes, rooms, codecs."""

import io
from collections.abc import Callable

import numpy as np
import soundfile
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

Wave = np.ndarray
Random = np.random.Generator
Family = Callable[[Random, int], Wave]
"""From a source of randomness and a rate in Hz to a sound."""


def colour(random: Random, length: int, power: float) -> Wave:
    """Gaussian noise whose power falls with frequency to the ``power``: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(random.standard_normal(length))
    spectrum[1:] *= np.arange(1, len(spectrum)) ** (-power / 2)
    spectrum[0] = 0
    return unit(np.fft.irfft(spectrum, length))


def unit(wave: Wave) -> Wave:
    """``wave`` with a peak of 1."""
    peak = np.abs(wave).max(initial=0.0)
    return wave / peak if peak else wave


def band(wave: Wave, rate: int, low: float | None, high: float | None, order: int = 2) -> Wave:
    """``wave`` between ``low`` and ``high`` Hz; None leaves that side open."""
    top = 0.49 * rate
    if low and high:
        return sosfilt(butter(order, (low, min(high, top)), "band", fs=rate, output="sos"), wave)
    if low:
        return sosfilt(butter(order, min(low, top), "high", fs=rate, output="sos"), wave)
    return sosfilt(butter(order, min(high, top), "low", fs=rate, output="sos"), wave)


def resonant(wave: Wave, rate: int, centre: float, width: float) -> Wave:
    """A two-pole resonance at ``centre`` Hz, ``width`` Hz wide."""
    radius = np.exp(-np.pi * width / rate)
    poles = [1, -2 * radius * np.cos(2 * np.pi * centre / rate), radius**2]
    return lfilter([1 - radius], poles, wave)


def times(seconds: float, rate: int) -> Wave:
    return np.arange(round(seconds * rate)) / rate


def sine(frequency: float | Wave, t: Wave, phase: float = 0.0) -> Wave:
    """A sine whose frequency in Hz may move."""
    if np.ndim(frequency):
        return np.sin(2 * np.pi * np.cumsum(frequency) * (t[1] - t[0]) + phase)
    return np.sin(2 * np.pi * frequency * t + phase)


def swell(random: Random, length: int, points: int, low: float = 0.0) -> Wave:
    """A smooth random envelope through ``points`` values between ``low`` and 1."""
    values = random.uniform(low, 1, points)
    at = np.linspace(0, points - 1, length)
    left = np.clip(at.astype(int), 0, points - 2)
    turn = (1 - np.cos(np.pi * (at - left))) / 2
    return values[left] * (1 - turn) + values[left + 1] * turn


def attack(wave: Wave, rate: int, seconds: float = 0.003) -> Wave:
    """``wave`` eased in over ``seconds``."""
    ramp = min(len(wave), max(1, round(seconds * rate)))
    shaped = wave.copy()
    shaped[:ramp] *= np.linspace(0, 1, ramp)
    return shaped


def release(wave: Wave, rate: int, seconds: float = 0.01) -> Wave:
    """``wave`` eased out over ``seconds``."""
    return attack(wave[::-1], rate, seconds)[::-1]


def place(into: Wave, what: Wave, at: int, gain: float = 1.0) -> None:
    """Add ``what`` to ``into`` from sample ``at``, cut at its end."""
    end = min(len(into), at + len(what))
    if at < end:
        into[at:end] += gain * what[: end - at]


def room(random: Random, wave: Wave, rate: int, seconds: float, wet: float) -> Wave:
    """``wave`` in a room that takes ``seconds`` to fall by 60 dB; longer by that time."""
    t = times(seconds, rate)
    echo = random.standard_normal(len(t)) * np.exp(-6.9 * t / seconds)
    echo = band(echo, rate, 120, 5500, 1)
    tail = fftconvolve(np.pad(wave, (0, len(t))), echo)[: len(wave) + len(t)]
    return np.pad(unit(wave), (0, len(t))) * (1 - wet) + wet * unit(tail)


def string(random: Random, rate: int, frequency: float, seconds: float, damping: float = 0.996) -> Wave:
    """A plucked string (Karplus and Strong)."""
    period = max(2, round(rate / frequency))
    burst = np.zeros(round(seconds * rate))
    burst[:period] = random.uniform(-1, 1, period)
    burst[:period] -= burst[:period].mean()
    loop = np.zeros(period + 2)
    loop[0], loop[period], loop[period + 1] = 1, -damping / 2, -damping / 2
    return unit(lfilter([1.0], loop, burst))


def coded(wave: Wave, rate: int, how: str, level: float) -> Wave:
    """``wave`` (one channel) as it comes back from ``how`` (OGG or MP3) at compression ``level``."""
    file = io.BytesIO()
    subtype = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}[how]
    soundfile.write(file, wave.astype(np.float32), rate, subtype, format=how, compression_level=level)
    file.seek(0)
    return soundfile.read(file, dtype="float64")[0]
