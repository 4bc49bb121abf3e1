"""Materials by their sound: the modes that ring when struck, and the grains of their fragments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.generators.sketch.dsp import envelopes, noise
from pipeline.generators.sketch.dsp import oscillators as osc
from pipeline.generators.sketch.dsp.units import RATE, Audio, Rng, between, samples


class Material(NamedTuple):
    """How an object of medium size sounds when struck."""

    modes: tuple[float, ...]
    """Frequencies in Hz."""
    t60: float
    """Ringing time in seconds of the lowest mode."""
    damping: float
    """How much faster high modes die: T60 falls with frequency to this power."""
    ring: float
    """Level of the ringing against the blow itself."""
    contact_low: float
    contact_high: float
    """Band of the blow's noise in Hz."""
    contact_s: float
    """How long the surfaces touch, in seconds."""
    body: float
    """Level of the low thump."""
    grain_low: float
    grain_high: float
    """Range in Hz in which its fragments ring."""
    grain_t60: float


_MATERIALS = """
wood     0.17   0.5   1.1   150   3800   0.008  0.6   700   2600  0.02   112 188 305 472 690 1020 1460
stone    0.045  0.3   0.35  250   6500   0.009  0.7   900   4200  0.012  420 905 1630 2440 3710
metal    1.1    0.45  0.75  600   9000   0.004  0.35  1800  7500  0.18   236 391 622 911 1307 1795 2410 3170 4230 5610
glass    0.42   0.35  0.8   1500  13000  0.003  0.1   2300  9500  0.1    910 1730 2660 3720 5140 6900 9100
tile     0.11   0.4   0.6   600   9000   0.004  0.35  1500  6500  0.035  640 1390 2240 3560 5200
ice      0.12   0.4   0.45  700   9000   0.005  0.4   1700  8000  0.03   520 1180 2210 3490 5230 7400
dirt     0.07   0.3   0.3   80    1900   0.03   1.0   400   1800  0.008  95 160
gravel   0.05   0.3   0.2   200   5500   0.02   0.7   1500  6000  0.007  130 210
sand     0.05   0.3   0.1   250   6500   0.05   0.6   2500  7000  0.004  90
snow     0.06   0.3   0.15  150   2200   0.06   0.7   500   2600  0.01   85
grass    0.06   0.3   0.2   300   7500   0.045  0.6   2000  8000  0.005  90 150
leaves   0.06   0.3   0.2   900   9000   0.045  0.5   2200  8500  0.006  90 150
mud      0.08   0.3   0.3   80    1100   0.05   0.9   300   1100  0.02   80 130
water    0.08   0.3   0.1   300   6000   0.04   0.5   500   2400  0.03   120
flesh    0.09   0.4   0.6   120   1700   0.016  1.2   300   1200  0.01   72 128 210
cloth    0.06   0.3   0.3   120   1400   0.03   0.9   800   3500  0.006  85 140
plastic  0.07   0.4   0.7   300   6000   0.006  0.4   900   4000  0.02   310 640 1180 1890 2810
"""
"""Each material: the fields of `Material` from ``t60`` on, then its modes."""


def _read_materials(table: str) -> dict[str, Material]:
    materials = {}
    for line in table.strip().splitlines():
        name, *numbers = line.split()
        values = [float(number) for number in numbers]
        materials[name] = Material(tuple(values[10:]), *values[:10])
    return materials


MATERIALS = _read_materials(_MATERIALS)


_CLANGING = frozenset({"metal", "glass", "tile", "stone"})
"""Materials whose modes start at random phases."""


class Blow(NamedTuple):
    """One strike: size of the thing (1 is medium, larger is lower), strength, brightness."""

    scale: float = 1.0
    strength: float = 0.7
    bright: float = 0.0
    t60: float = 1.0
    """Factor on the ringing."""


def strike(name: str, blow: Blow, asset: Rng, rng: Rng, seconds: float) -> Audio:
    """A blow on a material, [samples] of about ``seconds``: contact noise, low body and ringing modes.

    The thing's modes come from ``asset``; where and how hard it is hit comes from ``rng``.
    """
    material = MATERIALS[name]
    n = samples(max(seconds, 0.05))
    modes = np.array(material.modes) / blow.scale
    if name != "dirt":
        modes = np.concatenate([modes, modes * asset.uniform(1.07, 1.38, len(modes))])
    modes = modes * asset.uniform(0.92, 1.09, len(modes)) * rng.uniform(0.994, 1.006, len(modes))
    ratio = modes / modes.min()
    t60 = material.t60 * blow.t60 * blow.scale**0.5 / ratio**material.damping
    t60 = t60 * asset.uniform(0.7, 1.25, len(modes))
    tilt = ratio ** (-0.55 + 0.35 * blow.bright + 0.25 * blow.strength)
    gains = tilt * asset.uniform(0.3, 1.0, len(modes)) * rng.uniform(0.6, 1.2, len(modes))
    phases = rng.random(len(modes)) if name in _CLANGING else None
    ringing = osc.ring(modes, t60, gains / np.sqrt(np.sum(gains**2)), n, phases)
    return material.ring * ringing + contact(material, blow, rng, n) + thump(material, blow, rng, n)


def contact(material: Material, blow: Blow, rng: Rng, n: int) -> Audio:
    """The noise of two surfaces meeting."""
    lift = 2.0 ** (blow.bright + 0.5 * (blow.strength - 0.7))
    touch = noise.coloured(
        rng, n, 2.0, material.contact_low / blow.scale**0.5, min(material.contact_high * lift, 16000.0)
    )
    return 0.55 * touch * envelopes.decay(n, material.contact_s * 4.0 * blow.scale**0.5, 0.0006)


def thump(material: Material, blow: Blow, rng: Rng, n: int) -> Audio:
    """The body of a blow: a low tone that falls in pitch as it decays."""
    hz = between(rng, 0.95, 1.05) * 88.0 / blow.scale**0.7
    sinking = hz * (1.0 + 0.8 * envelopes.fall(n, 0.016))
    low = np.sin(2 * np.pi * np.cumsum(sinking) / RATE)
    return 0.55 * material.body * blow.strength * low * envelopes.decay(n, 0.11 * blow.scale**0.6, 0.0015)


def grain(name: str, rng: Rng, pitch: float = 1.0) -> Audio:
    """One small fragment: a few milliseconds of noise with a resonance of its material."""
    material = MATERIALS[name]
    hz = float(np.exp(rng.uniform(np.log(material.grain_low), np.log(material.grain_high)))) * pitch
    t60 = material.grain_t60 * float(np.exp(rng.normal(0.0, 0.4)))
    n = samples(min(0.4, max(0.004, t60 * 1.2)))
    ping = osc.ring([hz, hz * rng.uniform(1.4, 2.4)], [t60, t60 * 0.6], [1.0, 0.5], n)
    click = rng.standard_normal(n) * envelopes.decay(n, min(0.006, t60), 0.0002) * 0.5
    return ping + click
