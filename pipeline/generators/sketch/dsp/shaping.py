"""Non-linear colour: saturation, and the coarse steps of old machines."""

from __future__ import annotations

import numpy as np

from pipeline.generators.sketch.dsp.units import Audio


def saturate(audio: Audio, drive: float) -> Audio:
    """Soft clipping to within -1..1; quiet parts keep their shape, ``drive`` is the gain before it."""
    return np.asarray(np.tanh(audio * drive) / np.tanh(max(drive, 1e-6)))


def crush(audio: Audio, bits: int, hold: int) -> Audio:
    """Fewer levels and a lower rate: ``hold`` samples repeat one value, ``bits`` quantise -1..1."""
    held = np.repeat(audio[::hold], hold)[: len(audio)]
    steps = 2.0 ** (bits - 1)
    return np.asarray(np.round(held * steps) / steps)


def at_peak(audio: Audio, peak: float = 1.0) -> Audio:
    """Scaled so that its largest sample is ``peak``; silence stays silence."""
    largest = float(np.max(np.abs(audio))) if audio.size else 0.0
    return audio * (peak / largest) if largest > 1e-9 else audio


def at_rms(audio: Audio, level: float = 1.0) -> Audio:
    """Scaled to an RMS of ``level``; silence stays silence."""
    found = float(np.sqrt(np.mean(audio * audio))) if audio.size else 0.0
    return audio * (level / found) if found > 1e-9 else audio
