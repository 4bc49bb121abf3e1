"""Gates: named things that must not be wrong with a sound, each with what was found and what is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.audio import Clip
from pipeline.manifest.spec import Kind
from pipeline.mastering import Measurement, Seam, measure, measure_seam


@dataclass(frozen=True, slots=True)
class Limits:
    """Where each gate closes."""

    silent_lufs: float = -60.0
    """Quieter than this at its loudest: silence."""
    clipped_share: float = 0.001
    """Share of samples that stand in runs of equal samples at the clip's own peak."""
    dc: float = 0.02
    shortest_s: float = 0.01
    longest_share: float = 1.5
    """Longer than asked by more than this factor."""
    silent_share: float = 0.5
    """Share of the length that may be silence at the ends."""
    seam_click: float = 1.2
    """See `Seam`: a loop that was made to wrap stays below 1."""
    seam_step: float = 2.5
    """Level or spectrum."""


LIMITS: dict[Kind, Limits] = {"sfx": Limits(), "music": Limits(silent_lufs=-50.0, silent_share=0.3)}
"""Defaults by kind."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One gate that closed."""

    name: str
    measured: float
    limit: float
    what: str
    """In words, for the person."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"name": self.name, "measured": self.measured, "limit": self.limit, "what": self.what}


def clipped_share(clip: Clip) -> float:
    """Share of samples in runs of three or more equal ones next to the clip's peak: what a clipper leaves."""
    magnitude = np.abs(clip.samples)
    peak = float(magnitude.max(initial=0.0))
    if peak < 0.1:
        return 0.0
    flat = (np.abs(np.diff(clip.samples, axis=1)) < peak * 1e-6) & (magnitude[:, 1:] > peak * 0.99)
    runs = flat[:, 1:] & flat[:, :-1]
    return float(runs.sum()) / max(1, clip.samples.size)


def _level_failures(clip: Clip, measured: Measurement, limits: Limits) -> list[Failure]:
    failures = []
    loudest = measured.momentary_max_lufs
    if loudest is None or loudest < limits.silent_lufs:
        found = -120.0 if loudest is None else loudest
        failures.append(Failure("silence", found, limits.silent_lufs, "the sound is silent or next to it"))
    if abs(measured.dc_offset) > limits.dc:
        what = "the waveform stands off zero"
        failures.append(Failure("dc", abs(measured.dc_offset), limits.dc, what))
    if (share := clipped_share(clip)) > limits.clipped_share:
        failures.append(Failure("clipping", share, limits.clipped_share, "peaks are cut flat"))
    return failures


def _length_failures(measured: Measurement, asked_s: float | None, limits: Limits) -> list[Failure]:
    failures = []
    seconds = measured.duration_s
    if seconds < limits.shortest_s:
        failures.append(Failure("too short", seconds, limits.shortest_s, "the sound is shorter than allowed"))
    if asked_s is not None and seconds > asked_s * limits.longest_share:
        longest = asked_s * limits.longest_share
        failures.append(Failure("too long", seconds, longest, "the sound is longer than asked"))
    silent = measured.leading_silence_s + measured.trailing_silence_s
    if measured.momentary_max_lufs is not None and silent > limits.silent_share * seconds:
        share = round(silent / seconds, 4)
        failures.append(Failure("silent ends", share, limits.silent_share, "most of the sound is silence"))
    return failures


def _seam_failures(seam: Seam, limits: Limits) -> list[Failure]:
    if seam.click > limits.seam_click:
        what = "the loop clicks where it wraps"
        return [Failure("loop seam", round(seam.click, 4), limits.seam_click, what)]
    if (step := max(seam.level_step, seam.spectral_step)) > limits.seam_step:
        return [
            Failure("loop seam", round(step, 4), limits.seam_step, "the sound jumps where the loop wraps")
        ]
    return []


def failures_of(
    clip: Clip, *, asked_s: float | None, loop: tuple[int, int] | None, limits: Limits
) -> tuple[Failure, ...]:
    """Every gate that ``clip`` fails."""
    broken = int(np.count_nonzero(~np.isfinite(clip.samples)))
    if broken:
        return (Failure("not finite", broken, 0, "samples are NaN or infinite"),)
    if not clip.length:
        return (Failure("too short", 0.0, limits.shortest_s, "the sound has no samples"),)
    measured = measure(clip)
    failures = _level_failures(clip, measured, limits) + _length_failures(measured, asked_s, limits)
    if loop is not None:
        failures += _seam_failures(measure_seam(clip, loop), limits)
    return tuple(failures)
