"""Mixing: a bus that clips at its end or wraps when it loops, random event times, levels and saturation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.generators.sketch.dsp.units import RATE, Audio, Mix, Rng

_CALM_S, _SMOOTH_S = 0.2, 0.002
"""On each side of the calmest place: of its level, and of its steps from sample to sample."""


class Bus:
    """A stereo or mono bus of a fixed length; with ``loop``, sound beyond the end continues at the start."""

    def __init__(self, n: int, channels: int = 1, loop: bool = False) -> None:
        self.mix: Mix = np.zeros((channels, n), dtype=np.float32)
        self.loop = loop

    @property
    def audio(self) -> Audio:
        """The mix: [samples] for mono, [channels, samples] for stereo."""
        wide = self.mix.astype(np.float64)
        return wide[0] if wide.shape[0] == 1 else wide

    def add(self, sound: Audio, at: int, gain: float = 1.0, pan: float = 0.0) -> None:
        """Add ``sound`` [samples] or [channels, samples] at a sample; ``pan`` from -1 (left) to 1 (right)."""
        length = self.mix.shape[1]
        gains = self._gains(gain, pan)
        sound = np.atleast_2d(sound)
        done, total = 0, sound.shape[1]
        if self.loop:
            at %= length
        elif at < 0:
            done, at = -at, 0
        while done < total and at < length:
            span = min(total - done, length - at)
            self.mix[:, at : at + span] += sound[:, done : done + span] * gains
            done += span
            at = 0 if self.loop else length

    def add_each_side(self, make: Callable[[], Audio], gain: float, spread: float = 1.0) -> None:
        """Add a new sound to each side: wide, and still steady in mono."""
        for pan in (-spread, spread)[: self.mix.shape[0]]:
            self.add(make(), 0, gain, pan)

    def _gains(self, gain: float, pan: float) -> Audio:
        """Constant power across the stereo field."""
        if self.mix.shape[0] == 1:
            return np.array([[gain]])
        angle = (pan + 1.0) * np.pi / 4.0
        return np.asarray(np.array([[gain * np.cos(angle)], [gain * np.sin(angle)]]) * np.sqrt(2.0))


def poisson(rng: Rng, n: int, rate: float, least: int = 0) -> Audio:
    """Sorted sample positions of independent events: ``rate`` a second on average, at least ``least``.

    Where chance gives fewer than ``least``, all fall in the first half."""
    count = int(rng.poisson(max(rate, 0.0) * n / RATE))
    span, count = (n // 2, least) if count < least else (n, count)
    return np.sort(rng.integers(0, max(span, 1), count)).astype(np.float64)


def scatter(bus: Bus, rng: Rng, times: Audio, grain: Callable[[Rng], Audio], heavy: float) -> None:
    """Add a new ``grain`` at each time, the earliest first.

    Gains are log-normal: ``heavy`` makes few loud ones among many soft ones.
    """
    gains = np.exp(rng.normal(0.0, heavy, len(times)) - heavy * heavy)
    pans = rng.uniform(-0.8, 0.8, len(times))
    for at, gain, pan in zip(np.sort(times), gains, pans, strict=True):
        bus.add(grain(rng), int(at), float(min(gain, 4.0)), float(pan))


def calmest(loop: Mix) -> int:
    """Where least happens in ``loop`` [channels, samples]: at the smoothest sample of its quietest place."""
    power = np.square(loop, dtype=np.float64).sum(axis=0)
    corners = np.square(np.diff(loop, axis=1, append=loop[:, :1]), dtype=np.float64).sum(axis=0)
    reach = min(round(_CALM_S * RATE), len(power) // 2)
    quietest = int(np.argmin(_around(power, reach)))
    near = (np.arange(-(reach // 4), reach // 4 + 1) + quietest) % len(power)
    smooth = _around(corners, min(round(_SMOOTH_S * RATE), reach))[near]
    return int(near[np.argmin(smooth)])


def _around(values: Audio, reach: int) -> Audio:
    """The sum of ``values`` of a loop within ``reach`` of each sample."""
    wrapped = np.concatenate([values[len(values) - reach :], values, values[:reach]])
    sums = np.concatenate([[0.0], np.cumsum(wrapped)])
    return np.asarray(sums[2 * reach :] - sums[: len(sums) - 2 * reach])[: len(values)]


def saturate(audio: Audio, drive: float) -> Audio:
    """Soft clipping to -1..1; ``drive`` is the gain before it."""
    return np.asarray(np.tanh(audio * drive) / np.tanh(max(drive, 1e-6)))


def crush(audio: Audio, hold: int) -> Audio:
    """Four bits and a lower rate: -1..1 in steps of 1/8, and ``hold`` samples repeat one value."""
    stepped = np.repeat(audio[::hold], hold)[: len(audio)]
    return np.asarray(np.round(stepped * 8.0) / 8.0)


def at_peak(audio: Audio, peak: float = 1.0) -> Audio:
    """Scaled so that its largest sample is ``peak``; silence stays silence."""
    largest = float(np.max(np.abs(audio))) if audio.size else 0.0
    return audio * (peak / largest) if largest > 1e-9 else audio
