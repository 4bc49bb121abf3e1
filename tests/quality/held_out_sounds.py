"""A second labelled set, kept apart: families, seeds, rates and faults on which no gate was tuned."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.signal import butter, lfilter, sosfilt

from pipeline.audio import Clip, Loop
from pipeline.quality import GateInput

Wave = np.ndarray
Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class Labelled(GateInput):
    """A sound with the gate that must close on it; None where all must stay open."""

    fault: str | None = field(default=None, kw_only=True)


def pluck(random: Random, rate: int) -> Wave:
    """A plucked string (Karplus and Strong, 1983)."""
    period = int(rate / random.uniform(80, 600))
    burst = np.zeros(round(random.uniform(0.6, 2.0) * rate))
    burst[:period] = random.uniform(-1, 1, period)
    burst[:period] -= burst[:period].mean()
    taps = np.zeros(period + 2)
    taps[0], taps[period], taps[period + 1] = 1.0, -0.498, -0.498
    return lfilter([1.0], taps, burst)


def bell(random: Random, rate: int) -> Wave:
    """Frequency modulation whose depth dies away with the sound."""
    places = np.arange(round(random.uniform(0.5, 2.5) * rate)) / rate
    pitch, ratio = random.uniform(200, 1200), random.uniform(1.2, 3.7)
    depth = random.uniform(1, 5) * np.exp(-3 * places)
    return np.sin(2 * np.pi * pitch * places + depth * np.sin(2 * np.pi * pitch * ratio * places)) * np.exp(
        -random.uniform(1.5, 6) * places
    )


def chirps(random: Random, rate: int) -> Wave:
    """Calls of a bird with pauses between."""
    calls = []
    for _ in range(int(random.integers(2, 6))):
        length = round(random.uniform(0.04, 0.2) * rate)
        sweep = np.cumsum(np.linspace(*random.uniform(1500, 6000, 2), length)) / rate
        calls += [
            np.sin(2 * np.pi * sweep) * np.hanning(length),
            np.zeros(round(random.uniform(0.03, 0.3) * rate)),
        ]
    return np.concatenate(calls[:-1])


def motor(random: Random, rate: int) -> Wave:
    """A buzzing tone with a limp, over rumble."""
    places = np.arange(round(random.uniform(0.8, 3.0) * rate)) / rate
    turns = random.uniform(40, 120) * places
    buzz = 2 * (turns % 1) - 1
    rumble = sosfilt(butter(2, [40, 400], "band", fs=rate, output="sos"), random.standard_normal(len(places)))
    return (buzz * (0.7 + 0.3 * np.sin(2 * np.pi * turns / 4)) + rumble) * np.hanning(len(places)) ** 0.2


def bubbles(random: Random, rate: int) -> Wave:
    """Short tones that rise, one over another."""
    wave = np.zeros(round(random.uniform(0.8, 2.5) * rate))
    for _ in range(int(random.integers(5, 30))):
        length = round(random.uniform(0.02, 0.08) * rate)
        start = int(random.integers(0, len(wave) - length))
        sweep = np.cumsum(np.linspace(1, 1.5, length) * random.uniform(300, 2000)) / rate
        wave[start : start + length] += (
            np.sin(2 * np.pi * sweep) * np.hanning(length) * random.uniform(0.2, 1)
        )
    return wave


def zap(random: Random, rate: int) -> Wave:
    """A falling square wave."""
    length = round(random.uniform(0.1, 0.6) * rate)
    sweep = np.cumsum(np.geomspace(random.uniform(1500, 4000), random.uniform(60, 300), length)) / rate
    smooth = sosfilt(butter(2, 5000, fs=rate, output="sos"), np.sign(np.sin(2 * np.pi * sweep)))
    return smooth * np.linspace(1, 0, length)


FAMILIES: list[Callable[[Random, int], Wave]] = [pluck, bell, chirps, motor, bubbles, zap]
FAULTS = [
    "silence",
    "dc",
    "clipping",
    "not finite",
    "noise only",
    "tail noise",
    "too short",
    "too long",
    "wrong rate",
    "loop seam",
]
RATES = (16_000, 32_000, 44_100, 48_000)


def _sound(random: Random, number: int, rate: int) -> Wave:
    wave = FAMILIES[number % len(FAMILIES)](random, rate)
    return wave / np.abs(wave).max() * random.uniform(0.08, 0.97)


def _ring(random: Random, rate: int) -> Wave:
    """Three seconds of tones that wrap exactly."""
    length = 3 * rate
    cycles = random.integers(150, 2400, 5)
    return 0.12 * np.sin(
        2 * np.pi * np.arange(length) * cycles[:, None] / length + random.uniform(0, 6, (5, 1))
    ).sum(axis=0)


def _clip(wave: Wave, rate: int) -> Clip:
    return Clip(wave[None].astype(np.float32), rate)


def good(number: int) -> Labelled:
    random, rate = np.random.default_rng(770_000 + number), RATES[number % 4]
    if number % 8 == 7:
        ring = _clip(np.roll(_ring(random, rate), int(random.integers(3 * rate))), rate)
        return Labelled(ring, loop=Loop(0, ring.length))
    return Labelled(_clip(_sound(random, number, rate), rate), rate_hz=rate)


def broken(number: int) -> Labelled:
    random, rate = np.random.default_rng(880_000 + number), RATES[number // 10 % 4]
    fault = FAULTS[number % 10]
    wave = _sound(random, number // 10, rate)
    if fault == "silence":
        wave = wave * 10 ** (random.uniform(-110, -72) / 20)
    elif fault == "dc":
        wave = wave + random.choice([-1, 1]) * random.uniform(0.04, 0.2)
    elif fault == "clipping":
        wave = np.clip(wave / np.abs(wave).max() * random.uniform(4, 12), -1, 1) * random.uniform(0.5, 1)
    elif fault == "not finite":
        wave[random.integers(len(wave))] = random.choice([np.nan, np.inf, -np.inf])
    elif fault == "noise only":
        wave = random.uniform(-1, 1, round(random.uniform(0.4, 3) * rate)) * random.uniform(0.02, 0.5)
    elif fault == "tail noise":
        hiss = random.uniform(-1, 1, round(random.uniform(0.12, 0.8) * rate)) * random.uniform(0.03, 0.2)
        rest = np.zeros(round(random.uniform(0.08, 0.4) * rate))
        wave = np.concatenate([bell(random, rate) * 0.5 * np.hanning(2 * rate)[-1], rest, hiss])
        head = pluck(random, rate) * 0.5
        wave[: min(len(head), len(wave) - len(hiss))] += head[: len(wave) - len(hiss)]
        fade = len(wave) - len(hiss) - len(rest)
        wave[:fade] *= np.linspace(1, 0, fade) ** 2
        wave[fade : fade + len(rest)] = 0
    elif fault == "too short":
        return Labelled(_clip(wave[: round(random.uniform(0.0005, 0.009) * rate)], rate), fault=fault)
    elif fault == "too long":
        return Labelled(_clip(wave, rate), fault=fault, requested_s=len(wave) / rate / random.uniform(1.6, 4))
    elif fault == "wrong rate":
        other = RATES[(number // 10 + 1) % 4]
        return Labelled(_clip(wave, rate), fault=fault, rate_hz=other)
    else:
        ring = _clip(_ring(random, rate)[: 3 * rate - int(random.integers(rate // 100, rate))], rate)
        return Labelled(ring, loop=Loop(0, ring.length), fault=fault)
    return Labelled(_clip(wave, rate), fault=fault)
