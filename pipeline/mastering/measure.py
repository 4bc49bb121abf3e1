"""One frozen record of everything that Cuesmith measures on a sound."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.audio import Clip, Samples
from pipeline.errors import MasteringError
from pipeline.mastering.decibel import amplitude, level
from pipeline.mastering.loudness import MOST_CHANNELS, Energies, energies
from pipeline.mastering.true_peak import oversampling, true_peak

SILENCE_DBFS = -60.0
"""What leads and trails below this counts as silence in a measurement."""
_LOOK = 4096
"""Samples looked at together."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a sound measures. None where a value does not exist (silence has no loudness)."""

    duration_s: float
    sample_rate_hz: int
    channels: int
    integrated_lufs: float | None
    """ITU-R BS.1770-5; below 0.4 s as ``method`` says."""
    momentary_max_lufs: float | None
    """Highest 400 ms (EBU Tech 3341)."""
    short_term_max_lufs: float | None
    """Highest 3 s (EBU Tech 3341); None below 3 s."""
    loudness_range_lu: float | None
    """EBU Tech 3342; None below 3 s."""
    true_peak_dbtp: float | None
    """BS.1770-5 Annex 2."""
    sample_peak_dbfs: float | None
    crest_db: float | None
    """Sample peak over RMS of all channels."""
    dc_offset: float
    """Mean of the channel whose mean is furthest from zero; full scale is 1.0."""
    leading_silence_s: float
    trailing_silence_s: float
    method: str
    """How loudness and true peak were found, in words."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object, decibels and seconds rounded to 0.0001."""
        return {
            key: round(item, 6) if isinstance(item, float) else item for key, item in asdict(self).items()
        }


def sample_peak(clip: Clip) -> float:
    """Highest magnitude of any sample, linear; 0.0 for an empty clip."""
    return max(float(clip.samples.max(initial=0.0)), -float(clip.samples.min(initial=0.0)))


def _rms(clip: Clip) -> float:
    """Root mean square of all channels, 0.0 for an empty clip; summed in rows, so that float32 suffices."""
    power, whole = 0.0, clip.length - clip.length % _LOOK
    for channel in clip.samples:
        rows, rest = channel[:whole].reshape(-1, _LOOK), channel[whole:]
        power += float(np.vecdot(rows, rows).sum(dtype=np.float64)) + float(np.vecdot(rest, rest))
    return math.sqrt(power / clip.samples.size) if power else 0.0


def is_finite(clip: Clip) -> bool:
    """Whether every sample is a number: NaN and infinity survive a sum, so most clips need no second look."""
    return bool(np.isfinite(clip.samples.sum())) or bool(np.isfinite(clip.samples).all())


def _is_loud(part: Samples, threshold: float) -> bool:
    return bool(part.max() > threshold or part.min() < -threshold)


def _quiet_start(samples: Samples, threshold: float) -> int:
    """Samples before the first above ``threshold``; stops looking there."""
    for start in range(0, samples.shape[1], _LOOK):
        part = samples[:, start : start + _LOOK]
        if _is_loud(part, threshold):
            return start + int((np.abs(part) > threshold).any(axis=0).argmax())
    return int(samples.shape[1])


def _quiet_end(samples: Samples, threshold: float) -> int:
    """Samples after the last above ``threshold``; stops looking there."""
    length = int(samples.shape[1])
    for stop in range(length, 0, -_LOOK):
        part = samples[:, max(0, stop - _LOOK) : stop]
        if _is_loud(part, threshold):
            loud = np.flatnonzero((np.abs(part) > threshold).any(axis=0))
            return length - (max(0, stop - _LOOK) + int(loud[-1]) + 1)
    return length


def silence_ends(clip: Clip, threshold: float) -> tuple[int, int]:
    """Samples at the start and at the end that stay at or below linear ``threshold``.

    A clip that never rises above it is silent from both sides: its whole length twice.
    """
    leading = _quiet_start(clip.samples, threshold)
    if leading == clip.length:
        return clip.length, clip.length
    return leading, _quiet_end(clip.samples, threshold)


def _method(found: Energies, rate: int) -> str:
    gating = (
        "BS.1770-5 gated"
        if found.gated
        else "shorter than 400 ms: one ungated 400 ms block filled with silence"
    )
    times = oversampling(rate)
    peak = f"{times}x oversampling" if times > 1 else "samples (rate is 192 kHz or above)"
    return f"loudness: {gating}; momentary and short-term every 10 ms; true peak: {peak}"


def measurement(clip: Clip, found: Energies, peak: float) -> Measurement:
    """The record of ``clip`` whose ``found`` energies and linear true ``peak`` are already known."""
    highest = sample_peak(clip)
    rms = _rms(clip)
    means = clip.samples.mean(axis=1) if clip.length else np.zeros(1)
    leading, trailing = silence_ends(clip, amplitude(SILENCE_DBFS))
    return Measurement(
        duration_s=clip.seconds,
        sample_rate_hz=clip.rate,
        channels=clip.channels,
        integrated_lufs=found.integrated(),
        momentary_max_lufs=found.momentary_max(),
        short_term_max_lufs=found.short_term_max(),
        loudness_range_lu=found.loudness_range(),
        true_peak_dbtp=level(peak),
        sample_peak_dbfs=level(highest),
        crest_db=level(highest / rms) if rms > 0.0 else None,
        dc_offset=float(means[np.abs(means).argmax()]),
        leading_silence_s=leading / clip.rate,
        trailing_silence_s=trailing / clip.rate,
        method=_method(found, clip.rate),
    )


def measure(clip: Clip, *, circular: bool = False) -> Measurement:
    """Measure ``clip``: any length, 1 to 8 channels (WAVE order), any rate.

    With ``circular`` the true peak is that of an endless loop. Raises `MasteringError` for more channels, or
    for samples that are not finite numbers, of which nothing can be said.
    """
    if not 1 <= clip.channels <= MOST_CHANNELS:
        raise MasteringError(
            f"{clip.channels} channels cannot be measured; give mono to 7.1 (1 to {MOST_CHANNELS} channels)"
        )
    if not is_finite(clip):
        raise MasteringError("the sound holds NaN or infinite samples; generate it again with another seed")
    with np.errstate(over="ignore"):
        return measurement(clip, energies(clip), true_peak(clip, circular=circular))
