"""What is left in a queue of cues."""

from __future__ import annotations

from pipeline.generators.audiocraft.decoding.schedule import Cue, Queue


def drain(queue: Queue[Cue]) -> list[Cue]:
    """Remove and return all waiting cues, longest first."""
    left = []
    while (taken := queue.take(1 << 40)) is not None:
        left.append(taken[0])
    return left
