"""A labelled set: sounds that are as they should be, and the same with one known fault each."""

from collections.abc import Callable

import numpy as np

from pipeline.audio import Clip

RATE = 48000
Wave = np.ndarray


def _slope(random: np.random.Generator, length: int, power: float) -> Wave:
    spectrum = np.fft.rfft(random.standard_normal(length))
    spectrum *= np.maximum(np.fft.rfftfreq(length, 1 / RATE), 60.0) ** -power
    wave = np.fft.irfft(spectrum, length)
    return wave / np.abs(wave).max()


def impact(random: np.random.Generator) -> Wave:
    length = round(random.uniform(0.4, 1.5) * RATE)
    decay = np.exp(-np.arange(length) / (random.uniform(0.02, 0.15) * RATE))
    body = np.sin(2 * np.pi * random.uniform(60, 400) * np.arange(length) / RATE)
    return (0.5 * _slope(random, length, random.uniform(0, 1)) + 0.5 * body) * decay


def blip(random: np.random.Generator) -> Wave:
    length = round(random.uniform(0.05, 0.5) * RATE)
    sweep = np.cumsum(np.linspace(*random.uniform(300, 3000, 2), length)) / RATE
    return np.sin(2 * np.pi * sweep) * np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 0.5


def wind(random: np.random.Generator) -> Wave:
    length = round(random.uniform(1, 3) * RATE)
    gusts = 0.6 + 0.4 * np.sin(2 * np.pi * random.uniform(0.3, 1.5) * np.arange(length) / RATE)
    return _slope(random, length, random.uniform(0.5, 1.2)) * gusts


def steps(random: np.random.Generator) -> Wave:
    """Two events with a pause, the second close to the end."""
    one, two = impact(random), impact(random)
    return np.concatenate([one, np.zeros(round(random.uniform(0.05, 0.4) * RATE)), two])


def chord(random: np.random.Generator) -> Wave:
    length = round(random.uniform(1.5, 3) * RATE)
    places = np.arange(length) / RATE
    notes = random.uniform(100, 900, 4)
    swell = np.minimum(1, np.minimum(places / 0.05, (places[-1] - places) / 0.3))
    return sum(np.sin(2 * np.pi * note * places + note) for note in notes) / 4 * swell


GOOD: list[Callable[[np.random.Generator], Wave]] = [impact, blip, wind, steps, chord]


def good(seed: int) -> Clip:
    random = np.random.default_rng(seed)
    wave = GOOD[seed % len(GOOD)](random)
    wave = wave / np.abs(wave).max() * random.uniform(0.1, 0.95)
    return Clip(wave[None].astype(np.float32), RATE)


def broken(seed: int) -> tuple[str, Clip]:
    """One fault by turns; the name of the gate that has to close."""
    random = np.random.default_rng(10_000 + seed)
    wave = good(seed // 7 * 5 + seed % 5).samples[0].astype(np.float64)
    name = ["silence", "dc", "clipping", "not finite", "noise only", "tail noise", "too short"][seed % 7]
    match name:
        case "silence":
            wave = wave * 10 ** (random.uniform(-120, -75) / 20)
        case "dc":
            wave = wave + random.choice([-1, 1]) * random.uniform(0.05, 0.3)
        case "clipping":
            tone = wave + 0.2 * np.sin(2 * np.pi * 300 * np.arange(len(wave)) / RATE)
            wave = np.clip(tone * random.uniform(6, 20), -0.99, 0.99)
        case "not finite":
            wave[random.integers(len(wave), size=3)] = random.choice([np.nan, np.inf])
        case "noise only":
            wave = random.standard_normal(round(random.uniform(0.5, 2) * RATE)) * random.uniform(0.02, 0.3)
        case "tail noise":
            hiss = random.standard_normal(round(random.uniform(0.15, 0.7) * RATE)) * random.uniform(0.03, 0.2)
            wave = np.concatenate([impact(random), np.zeros(round(0.15 * RATE)), hiss])
        case "too short":
            wave = wave[: round(random.uniform(0.001, 0.008) * RATE)]
    return name, Clip(wave[None].astype(np.float32), RATE)
