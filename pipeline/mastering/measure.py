"""Measurements of a sound: loudness, peaks, DC offset and silence."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.audio import Clip, Floats, Samples
from pipeline.audio.decibel import amplitude, level
from pipeline.errors import MasteringError
from pipeline.mastering.loudness import MOST_CHANNELS, Energies, energies
from pipeline.mastering.true_peak import Peaks, oversampling, peaks

SILENCE_DBFS = -60.0
"""Quieter samples at the start and the end count as silence."""
_LOOK = 4096
"""Samples processed at once."""
_ONES = np.ones(_LOOK, np.float32)


@dataclass(frozen=True, slots=True)
class Measurement:
    """Measurements of a sound. None where a value is undefined (silence has no loudness)."""

    duration_s: float
    sample_rate_hz: int
    channels: int
    integrated_lufs: float | None
    """ITU-R BS.1770-5; below 0.4 s see ``method``."""
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
    """Mean of the channel with the largest offset; full scale is 1.0."""
    leading_silence_s: float
    trailing_silence_s: float
    method: str
    """Description of how loudness and true peak were measured."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object, numbers rounded to 0.000001."""
        return {
            key: round(item, 6) if isinstance(item, float) else item for key, item in asdict(self).items()
        }


def _rows(channel: Samples) -> tuple[Samples, Samples]:
    """``channel`` in rows short enough to sum in float32, and the rest."""
    whole = len(channel) - len(channel) % _LOOK
    return channel[:whole].reshape(-1, _LOOK), channel[whole:]


def _rms(clip: Clip) -> float:
    """Root mean square of all channels, 0.0 for an empty clip."""
    power = 0.0
    with np.errstate(over="ignore"):
        for rows, rest in map(_rows, clip.samples):
            power += sum(np.vecdot(rows, rows).tolist()) + float(np.vecdot(rest, rest))
    if math.isinf(power):
        power = float(np.square(clip.samples, dtype=np.float64).sum())
    return math.sqrt(power / clip.samples.size) if power else 0.0


def channel_means(clip: Clip) -> Floats:
    """Mean of each channel, shape [channels]; 0.0 for an empty clip. BLAS sums three times as fast."""
    parts = [_rows(channel) for channel in clip.samples]
    with np.errstate(over="ignore", invalid="ignore"):
        sums = [sum((rows @ _ONES).tolist()) + float(rest @ _ONES[: len(rest)]) for rows, rest in parts]
    means = np.array(sums) / max(clip.length, 1)
    return means if np.isfinite(means).all() else clip.samples.mean(axis=1, dtype=np.float64)


def is_finite(clip: Clip, means: Floats) -> bool:
    """Whether every sample is finite. NaN and infinity show in a mean, so most clips need no second check."""
    return bool(np.isfinite(means).all()) or bool(np.isfinite(clip.samples).all())


def _quiet_start(channel: Samples, threshold: float) -> int:
    """Number of samples before the first one above ``threshold``."""
    for start in range(0, len(channel), _LOOK):
        loud = np.abs(channel[start : start + _LOOK]) > threshold
        first = int(loud.argmax())
        if loud[first]:
            return start + first
    return len(channel)


def silence_ends(clip: Clip, threshold: float) -> tuple[int, int]:
    """Number of samples at the start and at the end at or below linear ``threshold``.

    A silent clip gives its whole length twice.
    """
    leading = trailing = clip.length
    for channel in clip.samples:
        leading = _quiet_start(channel[:leading], threshold)
        trailing = _quiet_start(channel[::-1][:trailing], threshold)
    return leading, trailing


def _method(energy: Energies, rate: int) -> str:
    gating = (
        "BS.1770-5 gated"
        if energy.gated
        else "shorter than 400 ms: one ungated 400 ms block filled with silence"
    )
    times = oversampling(rate)
    peak = f"{times}x oversampling" if times > 1 else "samples (rate is 192 kHz or above)"
    return f"loudness: {gating}; momentary and short-term every 10 ms; true peak: {peak}"


def measurement(clip: Clip, energy: Energies, highest: Peaks, means: Floats) -> Measurement:
    """Measurement of ``clip`` from its ``energy``, ``highest`` peaks and channel ``means``."""
    rms = _rms(clip)
    leading, trailing = silence_ends(clip, amplitude(SILENCE_DBFS))
    return Measurement(
        duration_s=clip.seconds,
        sample_rate_hz=clip.rate,
        channels=clip.channels,
        integrated_lufs=energy.integrated(),
        momentary_max_lufs=energy.momentary_max(),
        short_term_max_lufs=energy.short_term_max(),
        loudness_range_lu=energy.loudness_range(),
        true_peak_dbtp=level(highest.true),
        sample_peak_dbfs=level(highest.sample),
        crest_db=level(highest.sample / rms) if rms > 0.0 else None,
        dc_offset=float(means[np.abs(means).argmax()]),
        leading_silence_s=leading / clip.rate,
        trailing_silence_s=trailing / clip.rate,
        method=_method(energy, clip.rate),
    )


def measure(clip: Clip, *, circular: bool = False) -> Measurement:
    """Measure ``clip``: any length, 1 to 8 channels (WAVE order), any rate.

    With ``circular`` the true peak is that of an endless loop. Raises `MasteringError` for more channels and for NaN
    or infinite samples.
    """
    if not 1 <= clip.channels <= MOST_CHANNELS:
        raise MasteringError(
            f"cannot measure {clip.channels} channels; use mono to 7.1 (1 to {MOST_CHANNELS} channels)"
        )
    means = channel_means(clip)
    if not is_finite(clip, means):
        raise MasteringError("the sound contains NaN or infinite samples; generate or export it again")
    with np.errstate(over="ignore"):
        return measurement(clip, energies(clip), peaks(clip, circular=circular), means)
