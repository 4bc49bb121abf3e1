"""Decibels and back, with None where a level does not exist: JSON has no minus infinity."""

from __future__ import annotations

import math


def amplitude(decibels: float) -> float:
    """Linear amplitude of a level in dB.

    >>> round(amplitude(-6.0), 4)
    0.5012
    """
    return float(10.0 ** (decibels / 20.0))


def level(linear: float) -> float | None:
    """Level in dB of a linear amplitude; None for zero."""
    return 20.0 * math.log10(linear) if linear > 0.0 else None


def level_of_power(power: float) -> float | None:
    """Level in dB of a linear power; None for zero."""
    return 10.0 * math.log10(power) if power > 0.0 else None
