"""Ears for the sketch engine's tests: plain measurements on samples at 48 kHz."""

from __future__ import annotations

import itertools

import numpy as np
import scipy.signal

from pipeline.generators import GeneratedTake
from pipeline.generators.sketch.engine import CALM
from pipeline.generators.sketch.synthesizer import SketchGenerator
from pipeline.recipe import Recipe

RATE = 48_000


def recipe(prompt, seconds, *, kind="sfx", seed=1, loop=False, bpm=None):
    settings = {"loop": loop} if bpm is None else {"loop": loop, "bpm": bpm}
    if kind == "sfx" and loop:
        settings["start"] = CALM
    return Recipe("sketch", "1", "sketch", "1", kind, prompt, seconds, seed, settings)


def make(prompt, seconds, **options) -> GeneratedTake:
    ((_, take),) = SketchGenerator().generate([recipe(prompt, seconds, **options)], {})
    assert isinstance(take, GeneratedTake), take
    return take


def mono(prompt, seconds, **options):
    return make(prompt, seconds, **options).clip.samples.mean(axis=0).astype(np.float64)


def spectrum(audio):
    """Power and frequency."""
    power = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
    return power, np.fft.rfftfreq(len(audio), 1 / RATE)


def centroid(audio):
    power, hz = spectrum(audio)
    return float((power * hz).sum() / power.sum())


def share(audio, low, high):
    """Part of the energy between two frequencies."""
    power, hz = spectrum(audio)
    return float(power[(hz >= low) & (hz < high)].sum() / power.sum())


def pitch(audio, low=60.0, high=6000.0):
    """Frequency of the strongest partial."""
    size = max(len(audio), 1 << 15)
    power = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), size))
    hz = np.fft.rfftfreq(size, 1 / RATE)
    power[(hz < low) | (hz > high)] = 0
    return float(hz[np.argmax(power)])


def levels(audio, step=0.02):
    """RMS by window of ``step`` seconds."""
    size = int(step * RATE)
    frames = audio[: len(audio) // size * size].reshape(-1, size)
    return np.sqrt(np.mean(frames**2, axis=1))


def flux(audio, hop=480, size=2048):
    """Onset strength: half-wave rectified growth of the log spectrum, 100 a second."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(audio, (0, size)), size)[::hop]
    bands = np.log1p(100 * np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)))
    return np.maximum(np.diff(bands, axis=0), 0).sum(axis=1)


def tempo_strength(audio, bpm):
    """How much stronger onsets repeat at this tempo's beat than they do on average."""
    onsets = flux(audio)
    onsets = onsets - onsets.mean()
    power = np.abs(np.fft.rfft(onsets, 2 * len(onsets))) ** 2
    repeats = np.fft.irfft(power)[: len(onsets)]
    lag = 60.0 / bpm * 100
    near = max(repeats[round(k * lag) + d] for k in (1, 2, 4) for d in (-1, 0, 1))
    return near / np.abs(repeats[20:800]).mean()


def pitch_classes(audio):
    """Energy of the twelve pitch classes, from 100 Hz to 2 kHz, as shares."""
    power, hz = spectrum(audio)
    chosen = (hz > 100) & (hz < 2000)
    notes = 69 + 12 * np.log2(hz[chosen] / 440)
    tuned = np.abs(notes - np.round(notes)) < 0.25
    classes = np.bincount(np.round(notes[tuned]).astype(int) % 12, power[chosen][tuned] ** 0.5, 12)
    return classes / classes.sum()


def bands(audio, count=24):
    """Level in dB of ``count`` bands from 40 Hz to 18 kHz, loudest 0, floor -60."""
    power, hz = spectrum(audio)
    edges = np.geomspace(40, 18_000, count + 1)
    energy = np.array([power[(hz >= a) & (hz < b)].sum() for a, b in itertools.pairwise(edges)])
    return np.clip(10 * np.log10(energy / energy.max() + 1e-9), -60, 0)


def fingerprint(audio):
    """What a sound is like over frequency and over time, scaled so that both count alike."""
    shape = scipy.signal.resample_poly(np.abs(audio), 1, 480)
    parts = np.array([part.mean() for part in np.array_split(np.maximum(shape, 0), 16)])
    envelope = np.clip(20 * np.log10(parts / max(parts.max(), 1e-9) + 1e-4), -60, 0)
    return np.concatenate([bands(audio) / np.sqrt(24), envelope / np.sqrt(16)])
