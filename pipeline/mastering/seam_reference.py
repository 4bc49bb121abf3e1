"""Splice and lost beat at a loop's seam, compared with other positions of the same loop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.audio import Samples
from pipeline.mastering import beat
from pipeline.mastering.splice import RESOLUTIONS, Resolution, continuity

_SPLICE_NATS = 5.0
"""Evidence that counts as 1: continuous sound gives as much by chance once in e^5, about 150."""
_LOST_BEAT = 0.4
"""Kept time, from 0 to 1, at which the lost beat is 1."""
_IN_TIME = 0.7
"""Largest lost beat of a seam that falls on the beat."""
_REFERENCES = 16
"""Number of reference positions in a loop, used once its seam is suspect."""
_MARGIN = 0.15
"""Smallest distance of a reference to the seam, as a share of the window, so that the seam stays outside."""


def window_around(samples: Samples, place: int, reach: int) -> Samples:
    """``reach`` samples before and after ``place`` of a loop, wrapped at its ends; shape [channels, samples]."""
    length = samples.shape[1]
    first, last = place - reach, place + reach
    if first >= 0 and last <= length:
        return samples[:, first:last]
    if first < 0 and last <= length and reach <= length:
        return np.concatenate([samples[:, first:], samples[:, :last]], axis=1)
    return samples[:, np.arange(first, last) % length]


def _reference_places(length: int, reach: int) -> list[int]:
    """Positions spread over a loop of ``length``, away from its seam."""
    margin = min(round(_MARGIN * reach), length // 4)
    return [round(place) for place in np.linspace(margin, length - margin, _REFERENCES + 2)[1:-1]]


def _beats(wave: Samples, length: int, hop: int) -> list[int]:
    """Up to `_REFERENCES` beats of a loop of ``length`` that holds whole beats from its seam on; without the seam."""
    count = beat.pulses(beat.onsets(wave[: length // hop * hop].reshape(-1, hop)))
    chosen = np.unique(np.linspace(1, count - 1, _REFERENCES).round()) if count > 1 else ()
    return [round(number * length / count) for number in chosen]


def _splice(samples: Samples, rate: int, resolution: Resolution, beats: Callable[[], list[int]]) -> float:
    """Evidence of a splice at the seam of the loop ``samples``, relative to reference positions; ``beats`` are further
    references."""
    length = samples.shape[1]
    reach = min(round(resolution.window_s * rate), length // 2)

    def evidence(place: int) -> float:
        return -continuity(window_around(samples, place, reach), rate, resolution)

    at_seam = evidence(0)
    if at_seam <= _SPLICE_NATS:
        return max(0.0, at_seam / _SPLICE_NATS)
    places = [*_reference_places(length, reach), *beats()]
    return at_seam / max(_SPLICE_NATS, *(evidence(place) for place in places))


def _lost_beat(wave: Samples, hop: int) -> float | None:
    """Time lost at the seam of the loop ``wave``, shape [samples], relative to references; None without a beat."""
    hops = len(wave) // hop
    reach = min(round(beat.REACH_S / beat.HOP_S), hops // 2)
    if reach < beat.SHORTEST_S / beat.HOP_S:
        return None

    def lost(place: int) -> float | None:
        strength = beat.onsets(window_around(wave[None], place * hop, (reach + 2) * hop).reshape(-1, hop))
        kept = beat.kept_time(strength[2 : reach + 2], strength[reach + 2 : -2])
        return None if kept is None else max(0.0, 1.0 - kept)

    at_seam, floor = lost(0), 1.0 - _LOST_BEAT
    if at_seam is None or at_seam <= floor:
        return at_seam and at_seam / floor
    return at_seam / max(floor, *(lost(place) or 0.0 for place in _reference_places(hops, reach)))


def seam_faults(samples: Samples, rate: int) -> tuple[float, float]:
    """Splice and lost beat at the seam of the loop ``samples``.

    A seam on the beat may fall on an attack, so the loop's other beats are references too.
    """
    hop = max(2, round(beat.HOP_S * rate))
    mono = samples.mean(axis=0)
    lost = _lost_beat(mono, hop)
    in_time = lost is not None and lost <= _IN_TIME

    def beats() -> list[int]:
        return _beats(mono, samples.shape[1], hop) if in_time else []

    return max(_splice(samples, rate, resolution, beats) for resolution in RESOLUTIONS), lost or 0.0
