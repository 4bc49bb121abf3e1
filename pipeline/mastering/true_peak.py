"""True peak: the highest level between samples too, by oversampling (ITU-R BS.1770-5 Annex 2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr

from pipeline.audio import Clip, Samples

_QUALITY = "HQ"
_SEGMENT = 1 << 16
_OVERLAP = 512


def oversampling(rate: int) -> int:
    """How many times a rate is raised: 4 below 96 kHz, 2 below 192 kHz, else 1 (BS.1770-5 Annex 2)."""
    return 4 if rate < 96_000 else 2 if rate < 192_000 else 1


def _padded(samples: Samples, start: int, stop: int, circular: bool) -> Samples:
    """Samples from ``start`` to ``stop``, either of which may lie outside: zeros there, or the loop's other
    end."""
    length = samples.shape[1]
    if start >= 0 and stop <= length:
        return samples[:, start:stop]
    if circular:
        return samples.take(range(start, stop), axis=1, mode="wrap")
    inside = samples[:, max(start, 0) : min(stop, length)]
    return np.pad(inside, ((0, 0), (max(-start, 0), max(stop - length, 0))))


def _segment_peaks(samples: Samples, start: int, stop: int, times: int, circular: bool) -> Samples:
    """Highest magnitude over channels in each sample's span, for samples ``start`` to ``stop``."""
    context = _padded(samples, start - _OVERLAP, stop + _OVERLAP, circular)
    raised = soxr.resample(np.ascontiguousarray(context.T), 1, times, quality=_QUALITY)
    inside = raised.reshape(-1, samples.shape[0])[_OVERLAP * times : (_OVERLAP + stop - start) * times]
    np.abs(inside, out=inside)
    peaks: Samples = inside.reshape(stop - start, -1).max(axis=1)
    return peaks


def peak_envelope(clip: Clip, *, circular: bool = False) -> npt.NDArray[np.float32]:
    """Highest magnitude of any channel in each sample's span [n, n + 1): float32 of shape [samples].

    With ``circular`` the clip is a loop: its end is heard before its start. Otherwise silence surrounds it.
    The samples themselves count, so content next to Nyquist, which the interpolator weakens, is not missed.
    """
    envelope = np.abs(clip.samples).max(axis=0) if clip.channels else np.zeros(clip.length, np.float32)
    times = oversampling(clip.rate)
    if times > 1:
        for start in range(0, clip.length, _SEGMENT):
            stop = min(start + _SEGMENT, clip.length)
            between = _segment_peaks(clip.samples, start, stop, times, circular)
            np.maximum(envelope[start:stop], between, out=envelope[start:stop])
    return np.asarray(envelope, dtype=np.float32)


def true_peak(clip: Clip, *, circular: bool = False) -> float:
    """True peak as linear amplitude (1.0 is 0 dBTP); 0.0 for silence and for an empty clip."""
    return float(peak_envelope(clip, circular=circular).max(initial=0.0))
