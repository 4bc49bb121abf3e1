"""Near-duplicates are detected after gain, trim and coding; other takes are not duplicates."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from labelled_sounds import RATE, good

from pipeline.audio import Clip, read, resample
from pipeline.delivery import encode
from pipeline.gates import GATES
from pipeline.quality.fingerprint import fingerprint, likeness

SEEDS = [0, 2, 3, 5, 7, 8]


def near_duplicates(clips: Sequence[Clip]) -> list[tuple[int, int]]:
    """Pairs of indices in ``clips`` that are at least as alike as the gate allows in music."""
    limit = GATES["duplicate"].limits["music"]
    pairs = combinations(enumerate(fingerprint(clip) for clip in clips), 2)
    return [(first, second) for (first, one), (second, other) in pairs if likeness(one, other) >= limit]


@pytest.mark.parametrize("seed", SEEDS)
def test_gain_trim_and_coding_do_not_hide_a_duplicate(seed: int) -> None:
    clip = good(seed)
    copies = [
        Clip(clip.samples * np.float32(0.2), RATE),
        Clip(np.pad(clip.samples, ((0, 0), (4000, 0))), RATE),
        read(encode(clip, "ogg")),
        resample(clip, 44100),
    ]
    pairs = near_duplicates([clip, *copies])
    assert [pair for pair in pairs if pair[0] == 0] == [(0, n) for n in (1, 2, 3, 4)]


def test_other_takes_are_not_duplicates() -> None:
    assert near_duplicates([good(seed) for seed in SEEDS]) == []


def test_other_noise_of_the_same_shape_is_another_sound() -> None:
    decay = np.exp(-np.arange(RATE) / 9000)
    takes = [np.random.default_rng(seed).standard_normal(RATE) * decay * 0.3 for seed in range(4)]
    assert near_duplicates([Clip(take[None].astype(np.float32), RATE) for take in takes]) == []


def test_silence_is_like_nothing() -> None:
    silent = fingerprint(Clip(np.zeros((1, RATE), np.float32), RATE))
    assert likeness(silent, silent) == 0.0
    assert likeness(silent, fingerprint(good(0))) == 0.0


@pytest.mark.parametrize("length", [0, 1, 100, 5000])
def test_any_length_has_a_fingerprint(length: int) -> None:
    clip = Clip(good(1).samples[:, :length], RATE)
    assert likeness(fingerprint(clip), fingerprint(good(1))) <= 1.0


def test_two_hits_of_one_kind_at_other_pitches_are_two_sounds() -> None:
    places = np.arange(RATE // 2) / RATE
    hits = [
        sum(np.sin(2 * np.pi * pitch * ratio * places) for ratio in (1, 2.7, 5.2)) * np.exp(-places * 9)
        for pitch in (300, 304, 309)
    ]
    clips = [Clip((0.2 * hit)[None].astype(np.float32), RATE) for hit in hits]
    assert near_duplicates(clips) == []
