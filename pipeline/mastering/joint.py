"""What a loop's joint breaks, the sound or the beat, held against other places of the same loop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.audio import Samples
from pipeline.mastering import beat
from pipeline.mastering.splice import RESOLUTIONS, Resolution, continuity

_SPLICE_NATS = 5.0
"""Evidence of a splice that is 1: by chance, sound that goes on gives as much once in e^5, about 150."""
_LOST_BEAT = 0.4
"""Time kept, of 1, at which the lost beat is 1."""
_IN_TIME = 0.7
"""Lost beat up to which a seam falls on the beat."""
_HABITS = 16
"""Places of a loop that are asked for its habits, once its seam is under suspicion."""
_CLOSE = 0.15
"""Of such a place to the seam, as a share of the windows: nearer ones would hear the seam itself."""


def around(samples: Samples, place: int, reach: int) -> Samples:
    """``reach`` samples before ``place`` of a loop and as many from it on, round and round, of shape
    [channels, samples]."""
    length = samples.shape[1]
    first, last = place - reach, place + reach
    if first >= 0 and last <= length:
        return samples[:, first:last]
    if first < 0 and last <= length and reach <= length:
        return np.concatenate([samples[:, first:], samples[:, :last]], axis=1)
    return samples[:, np.arange(first, last) % length]


def _habit_places(length: int, reach: int) -> list[int]:
    """Places spread over a loop of ``length``, none so close to its seam that it would be heard there."""
    margin = min(round(_CLOSE * reach), length // 4)
    return [round(place) for place in np.linspace(margin, length - margin, _HABITS + 2)[1:-1]]


def _beats(wave: Samples, length: int, hop: int) -> list[int]:
    """Up to `_HABITS` beats of a loop of ``length``, if it holds a whole number of them from its seam on; the
    seam left out."""
    count = beat.pulses(beat.onsets(wave[: length // hop * hop].reshape(-1, hop)))
    chosen = np.unique(np.linspace(1, count - 1, _HABITS).round()) if count > 1 else ()
    return [round(number * length / count) for number in chosen]


def _splice(samples: Samples, rate: int, resolution: Resolution, beats: Callable[[], list[int]]) -> float:
    """Evidence of a splice at the seam of the loop ``samples``, over the usual; places that are like the seam
    are ``beats``."""
    length = samples.shape[1]
    reach = min(round(resolution.window_s * rate), length // 2)

    def evidence(place: int) -> float:
        return -continuity(around(samples, place, reach), rate, resolution)

    found = evidence(0)
    if found <= _SPLICE_NATS:
        return max(0.0, found / _SPLICE_NATS)
    places = [*_habit_places(length, reach), *beats()]
    return found / max(_SPLICE_NATS, *(evidence(place) for place in places))


def _lost_beat(wave: Samples, hop: int) -> float | None:
    """Time lost at the seam of the loop ``wave``, of shape [samples], over the usual; None without a beat."""
    hops = len(wave) // hop
    reach = min(round(beat.REACH_S / beat.HOP_S), hops // 2)
    if reach < beat.SHORTEST_S / beat.HOP_S:
        return None

    def lost(place: int) -> float | None:
        strength = beat.onsets(around(wave[None], place * hop, (reach + 2) * hop).reshape(-1, hop))
        kept = beat.kept_time(strength[2 : reach + 2], strength[reach + 2 : -2])
        return None if kept is None else max(0.0, 1.0 - kept)

    found, floor = lost(0), 1.0 - _LOST_BEAT
    if found is None or found <= floor:
        return found and found / floor
    return found / max(floor, *(lost(place) or 0.0 for place in _habit_places(hops, reach)))


def goes_on(samples: Samples, rate: int) -> tuple[float, float]:
    """Splice and lost beat at the seam of the loop ``samples``.

    A seam that keeps the beat may fall on an attack, so it is held against the loop's other beats too.
    """
    hop = max(2, round(beat.HOP_S * rate))
    mono = samples.mean(axis=0)
    lost = _lost_beat(mono, hop)
    in_time = lost is not None and lost <= _IN_TIME

    def beats() -> list[int]:
        return _beats(mono, samples.shape[1], hop) if in_time else []

    return max(_splice(samples, rate, resolution, beats) for resolution in RESOLUTIONS), lost or 0.0
