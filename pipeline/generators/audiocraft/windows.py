"""Beyond the window: a take longer than one pass is made of passes that each hear the end of the one before.

The plan is AudioCraft's own (`_generate_tokens`), as numbers: the first pass makes a window; every further one
moves on by the stride and hears what it shares with the pass before.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """One pass of the language model, in frames."""

    start: int
    """Where it begins in the take."""
    prompt: int
    """Frames at its start that are known."""
    length: int
    """Frames with the prompt."""


def windows(total: int, prompt: int, window: int, stride: int | None) -> tuple[Window, ...]:
    """The passes that make ``total`` frames, of which the first ``prompt`` are known.

    >>> windows(40, 0, 50, None)
    (Window(start=0, prompt=0, length=40),)
    >>> windows(70, 0, 50, 30)
    (Window(start=0, prompt=0, length=50), Window(start=30, prompt=20, length=40))
    """
    if total <= window:
        return (Window(0, prompt, total),)
    if stride is None or not 0 < stride < window:
        raise ValueError(f"{total} frames are more than a window of {window}, and the stride is {stride}")
    made = [Window(0, prompt, window)]
    while made[-1].start + made[-1].length < total:
        start = made[-1].start + stride
        made.append(Window(start, made[-1].length - stride, min(window, total - start)))
    return tuple(made)
