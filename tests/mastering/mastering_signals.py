"""Signals with a known answer, shared by the mastering tests."""

import numpy as np

from pipeline.audio import Clip

RATE = 48000


def tone(seconds: float, dbfs: float, channels: int = 2, frequency: float = 1000.0) -> Clip:
    wave = 10 ** (dbfs / 20) * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)
    return Clip(np.tile(wave.astype(np.float32), (channels, 1)), RATE)


def silence(seconds: float, channels: int = 2) -> Clip:
    return Clip(np.zeros((channels, round(seconds * RATE)), np.float32), RATE)


def joined(*clips: Clip) -> Clip:
    return Clip(np.concatenate([clip.samples for clip in clips], axis=1), clips[0].rate)


def coloured_noise(seed: int, seconds: float, channels: int, rate: int = RATE) -> Clip:
    """Noise of random slope, level and slow movement: unlike any other seed's."""
    random = np.random.default_rng(seed)
    length = round(seconds * rate)
    spectrum = np.fft.rfft(random.standard_normal((channels, length)))
    spectrum *= np.maximum(np.fft.rfftfreq(length, 1 / rate), 20) ** -random.uniform(0, 1)
    wave = np.fft.irfft(spectrum, length)
    movement = 0.6 + 0.4 * np.sin(2 * np.pi * random.uniform(0.1, 2) * np.arange(length) / rate)
    wave *= movement / np.abs(wave).max() * 10 ** (random.uniform(-30, -1) / 20)
    wave *= np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / (0.01 * rate))
    return Clip(wave.astype(np.float32), rate)
