"""The passes of a take that is longer than the window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.generators.audiocraft.models import windows


@given(st.integers(1, 2000), st.integers(2, 300), st.integers(1, 299), st.integers(0, 100))
def test_passes_cover_the_take_once_and_each_hears_the_one_before(
    total: int, window: int, stride: int, prompt: int
) -> None:
    stride, prompt = min(stride, window - 1), min(prompt, window - 1, total - 1)
    made = windows(total, prompt, window, stride)
    reached = prompt
    for one in made:
        assert one.length <= window
        assert 0 <= one.prompt < one.length
        assert one.start + one.prompt == reached
        reached = one.start + one.length
    assert reached == total


@given(st.integers(1, 500), st.integers(10, 120), st.integers(1, 9))
def test_passes_are_those_of_audiocrafts_loop(total: int, window: int, stride: int) -> None:
    expected, offset, prompt = [], 0, 0
    if total <= window:
        expected = [(0, 0, total)]
    while total > window and offset + prompt < total:
        length = min(total - offset, window)
        expected.append((offset, prompt, length))
        prompt = length - stride
        offset += stride
    assert [(one.start, one.prompt, one.length) for one in windows(total, 0, window, stride)] == expected


def test_a_take_beyond_the_window_needs_a_stride() -> None:
    with pytest.raises(ValueError, match="stride is None"):
        windows(101, 0, 100, None)
