"""Sounds that go on, for the table of loops: noises, tones, machines and struck music, none of the sketch engine's.

Each is a function of a random generator, samples, and beats a sample; it gives a wave of shape [samples].
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfilt

Random = np.random.Generator
Wave = npt.NDArray[np.float64]
Sound = Callable[[Random, int, float], Wave]


def _sloped(random: Random, length: int, power: float, lowest: float = 30.0) -> Wave:
    spectrum = np.fft.rfft(random.standard_normal(length))
    spectrum *= np.maximum(np.arange(len(spectrum)), lowest * 15) ** -power
    wave = np.fft.irfft(spectrum, length)
    return wave / wave.std()


def _high_passed(wave: Wave) -> Wave:
    """Without what is below a thousandth of the rate: microphones and mixers leave nothing there."""
    return np.asarray(sosfilt(butter(2, 0.002, "high", output="sos"), wave))


def white(random: Random, length: int, beat: float) -> Wave:
    """White noise down to 0 Hz."""
    return random.standard_normal(length)


def hiss(random: Random, length: int, beat: float) -> Wave:
    """White noise as a recording holds it."""
    return _high_passed(random.standard_normal(length))


def rain(random: Random, length: int, beat: float) -> Wave:
    """Noise with drops."""
    wave = 0.3 * _sloped(random, length, 0.25)
    for start in random.integers(0, length - 2000, length // 320):
        size = int(random.integers(60, 800))
        tone = np.sin(random.uniform(0.1, 0.9) * np.arange(size)) * np.exp(-5 * np.arange(size) / size)
        wave[start : start + size] += random.exponential() * tone
    return _high_passed(wave)


def wind(random: Random, length: int, beat: float) -> Wave:
    """Dull noise in gusts."""
    gusts = 1 + 0.5 * np.sin(2 * np.pi * random.uniform(1, 8) * np.arange(length) / length)
    return _high_passed(_sloped(random, length, 0.8) * gusts)


def fire(random: Random, length: int, beat: float) -> Wave:
    """Rumble with crackles."""
    wave = 0.2 * _sloped(random, length, 0.9)
    for start in random.integers(0, length - 2000, length // 3000):
        size = int(random.integers(40, 400))
        wave[start : start + size] += (
            2 * random.exponential() * random.standard_normal(size) * np.exp(-6 * np.arange(size) / size)
        )
    return _high_passed(wave)


def pad(random: Random, length: int, beat: float) -> Wave:
    """A chord of swelling tones."""
    places, wave = np.arange(length), 0.01 * random.standard_normal(length)
    for _ in range(5):
        turn, swell = random.uniform(0.01, 0.12), random.uniform(1e-5, 8e-5)
        for number in range(1, 5):
            bend = 0.3 * np.sin(swell * places)
            wave += np.sin(turn * number * places + random.uniform(0, 6) + bend) / number**1.5
    return wave


def motor(random: Random, length: int, beat: float) -> Wave:
    """A buzz that breathes, with noise."""
    turns = random.uniform(0.0008, 0.0025) * np.arange(length) + 0.02 * np.sin(1e-4 * np.arange(length))
    return 2 * (turns % 1) - 1 + 0.3 * _sloped(random, length, 0.3) + 0.3 * np.sin(np.pi * turns / 2)


def hum(random: Random, length: int, beat: float) -> Wave:
    """Mains and its harmonics over noise."""
    places = np.arange(length)
    tones = sum(np.sin(0.0068 * number * places + random.uniform(0, 6)) / number for number in range(1, 9))
    return tones + 0.1 * _sloped(random, length, 0.5)


def _struck(length: int, beat: float, step: float) -> Wave:
    """Where hits fall, every ``step`` beats."""
    return np.round(np.arange(0, length * beat, step) / beat).astype(int)


def _add(wave: Wave, start: int, hit: Wave) -> None:
    wave[start : start + len(hit)] += hit[: len(wave) - start]


def drums(random: Random, length: int, beat: float) -> Wave:
    """Kick, snare and hats with next to silence between."""
    wave, places = 0.0005 * random.standard_normal(length), np.arange(16_000)
    kick = np.sin(0.007 * places + 3 * (1 - np.exp(-places / 1200))) * np.exp(-places / 5000)
    for number, start in enumerate(_struck(length, beat, 0.5)):
        noise = random.standard_normal(len(places))
        if number % 4 == 0:
            _add(wave, start, kick)
        if number % 4 == 2:
            _add(wave, start, 0.6 * noise * np.exp(-places / 2500))
        _add(wave, start, 0.15 * random.uniform(0.6, 1) * np.diff(noise, prepend=0) * np.exp(-places / 700))
    return wave


def melody(random: Random, length: int, beat: float) -> Wave:
    """Plucked notes that ring over one another."""
    wave, places = 0.001 * random.standard_normal(length), np.arange(50_000)
    for start in _struck(length, beat, 0.5):
        turn = 0.03 * 2 ** (random.choice([0, 2, 4, 7, 9, 12]) / 12)
        note = sum(
            np.sin(turn * number * places) * np.exp(-places * (3 + number) / 44_000) / number
            for number in range(1, 6)
        )
        _add(wave, start, note * np.minimum(1, places / 90) * random.choice([0.0, 0.5, 0.7, 1.0]))
    return wave


def ensemble(random: Random, length: int, beat: float) -> Wave:
    """Drums, melody and chords that change with the bar."""
    wave, bar = drums(random, length, beat) + 0.5 * melody(random, length, beat), round(4 / beat)
    places = np.arange(bar + 4000)
    swell = np.minimum(1, places / 4000) * np.minimum(1, (len(places) - places) / 4000)
    for start in range(0, length, bar):
        root = 0.03 * 2 ** (random.choice([0, -2, 5, -5, 3]) / 12)
        phases = random.uniform(0, 6, 4)
        tones = zip((1, 1.26, 1.5, 0.5), phases, strict=True)
        _add(wave, start, 0.25 * swell * sum(np.sin(root * ratio * places + phase) for ratio, phase in tones))
    return wave


def chip(random: Random, length: int, beat: float) -> Wave:
    """Square waves that change at once."""
    wave, starts = np.zeros(length), [*_struck(length, beat, 0.25), length]
    for start, end in pairwise(starts):
        turn = 0.045 * 2 ** (random.choice([0, 2, 4, 7, 9, 12]) / 12)
        wave[start:end] = np.sign(np.sin(turn * np.arange(end - start))) * np.linspace(1, 0.5, end - start)
    return np.asarray(sosfilt(butter(4, 0.7, output="sos"), wave))


_STEADY: dict[str, Sound] = {
    "white noise to 0 Hz": white,
    "hiss": hiss,
    "rain": rain,
    "wind": wind,
    "fire": fire,
    "pad": pad,
    "motor": motor,
    "hum": hum,
}
_WITH_BEAT: dict[str, Sound] = {"drums": drums, "melody": melody, "ensemble": ensemble, "square waves": chip}
SOUNDS = {name: (sound, name in _WITH_BEAT) for name, sound in (_STEADY | _WITH_BEAT).items()}
"""Each sound, and whether it has a beat that is passed to the loop cutter."""
