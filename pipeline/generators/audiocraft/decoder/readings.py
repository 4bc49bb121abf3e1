"""Attention over one layer's past, for CPUs, a unit at a time: it can stop after any and go on later.

So `products` can have a unit brought near while they multiply, and have it read when it is there. A layer's past of a
slot lies in the order in which it is read:

- a slab is [layers, blocks, branches, words of a unit]; a unit is ``LANES`` positions of all heads of a branch;
- a unit is the keys [heads, words, LANES], then the values [heads, LANES, words rounded up to LANES].

So a vector holds one word of ``LANES`` keys or ``LANES`` words of one value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, njit

from pipeline.generators.audiocraft.decoder.attention import keep, score, see, share_out, tell
from pipeline.generators.audiocraft.decoder.vectors import LANES, kept_on_disk, pointer

READING = np.dtype(
    [
        (name, np.int64)
        for name in (
            # Arrays of int64 [slots]: where slabs begin (0: no cue there), positions they hold, positions there are.
            "begins",
            "capacities",
            "lengths",
            "slots",
            "layer",
            "branches",
            # The heads that are read, and how many there are.
            "first",
            "beyond",
            "heads",
            # [slots * branches, width] queries, or queries, keys and values that are kept; [slots * branches, dim].
            "fresh",
            "width",
            "out",
            "dim",
            "scratch",
            # How far it has come: slot, unit of its layer, bytes of what comes that were asked for.
            "slot",
            "unit",
            "asked",
            # Bytes of what comes that a product asks for with each word of a tile.
            "pace",
        )
    ]
)
"""A reading of one layer's past; fields that name memory are addresses."""


def scratch_words(heads: int, branches: int, words: int) -> int:
    """Words that `READING.scratch` needs, for ``heads`` of ``words`` words of each branch."""
    padded = -(-words // LANES) * LANES
    return heads * (LANES + 1) + branches * heads * (2 + 2 * padded)


@njit(inline="always")
def _up(count: Any) -> Any:
    return (count + LANES - 1) // LANES * LANES


@njit(inline="always")
def _reading(at: int) -> Any:
    return carray(pointer(at), 1, READING)[0]


@njit(inline="always")
def _slots(one: Any, at: int) -> Any:
    return carray(pointer(at), one.slots, np.int64)


@njit(inline="always")
def _count(one: Any) -> Any:
    """Positions of the slot that are looked at: a step's own is one of them."""
    return _slots(one, one.lengths)[one.slot] + (1 if one.width > one.dim else 0)


@njit(inline="always")
def _is_left(one: Any) -> bool:
    """Whether anything is left, at the slot that ``one`` now stands at."""
    begins = _slots(one, one.begins)
    while one.slot < one.slots and (begins[one.slot] == 0 or _count(one) == 0):
        one.slot += 1
    return bool(one.slot < one.slots)


@njit(inline="always")
def _unit_bytes(one: Any) -> Any:
    words = one.dim // one.heads
    return 4 * one.heads * LANES * (words + _up(words))


@njit(inline="always")
def _unit_at(one: Any) -> Any:
    units = one.layer * (_slots(one, one.capacities)[one.slot] // LANES) * one.branches + one.unit
    return _slots(one, one.begins)[one.slot] + units * _unit_bytes(one)


@njit(inline="always")
def _read_unit(pairs: bool, one: Any) -> None:
    parts = 2 if pairs else 1
    heads, words = one.heads, one.dim // one.heads
    padded, rows = _up(words), one.branches * heads
    block, branch = one.unit // one.branches, one.unit % one.branches
    keys_at = _unit_at(one)
    values_at = keys_at + 4 * heads * words * LANES
    within = min(LANES, _count(one) - block * LANES)
    is_last = within == _count(one) - block * LANES
    line = one.slot * one.branches + branch
    fresh = carray(pointer(one.fresh), (one.slots * one.branches, one.width), np.uint32)
    # Scores of this unit and how much of what was seen before stays. What each row has seen so far: its highest score,
    # the sum of its shares, and of values by their shares.
    kept_at = one.scratch + 4 * heads * LANES
    highest_at = kept_at + 4 * heads
    seen_at = highest_at + 8 * rows
    scores = carray(pointer(one.scratch), (heads, LANES), np.float32)
    kept = carray(pointer(kept_at), heads, np.float32)
    highest = carray(pointer(highest_at + 4 * branch * heads), heads, np.float32)
    totals = carray(pointer(highest_at + 4 * (rows + branch * heads)), heads, np.float32)
    seen_at += 4 * branch * heads * parts * padded
    seen = carray(pointer(seen_at), (heads, parts, padded), np.float32)
    if block == 0:
        highest[:] = -np.inf
        totals[:] = 0
        seen[:] = 0
    if is_last and one.width > one.dim:
        keys = carray(pointer(keys_at), (heads, words, LANES), np.uint32)
        values = carray(pointer(values_at), (heads, LANES, padded), np.uint32)
        for head in range(one.first, one.beyond):
            keep(fresh, line, head * words, one.dim, keys, values, head, within - 1)
    scale = np.float32(1.0 / np.sqrt(words * parts))
    for head in range(one.first, one.beyond):
        query_at = one.fresh + 4 * (line * one.width + head * words)
        row_at = keys_at + 4 * head * words * LANES
        score(pairs, row_at, words, query_at, scale, one.scratch + 4 * head * LANES)
    for head in range(one.first, one.beyond):
        for lane in range(within, LANES):
            scores[head, lane] = -np.inf
        kept[head] = share_out(scores, head, highest, totals)
    for head in range(one.first, one.beyond):
        for panel in range(0, padded, LANES):
            value_at = values_at + 4 * (head * LANES * padded + panel)
            told_at = seen_at + 4 * (head * parts * padded + panel)
            shares_at = one.scratch + 4 * head * LANES
            see(pairs, value_at, padded // LANES, shares_at, within, kept[head], told_at)
    if is_last:
        out = carray(pointer(one.out), (one.slots * one.branches, one.dim), np.uint32)
        for head in range(one.first, one.beyond):
            tell(seen, head, totals[head], pairs, words, out, line, head * words)
    one.unit += 1
    if is_last and branch == one.branches - 1:
        one.slot += 1
        one.unit = 0


@njit
def _next_of_pairs(at: int) -> None:
    _read_unit(True, _reading(at))


@njit
def _next_of_numbers(at: int) -> None:
    _read_unit(False, _reading(at))


@njit(inline="always")
def _read_next(pairs: bool, at: int) -> None:
    if pairs:
        _next_of_pairs(at)
    else:
        _next_of_numbers(at)


@kept_on_disk()
def begin(at: int, layer: int, fresh: int, width: int) -> None:
    """Set the reading at address ``at`` to the begin of ``layer``, for ``fresh`` of ``width`` words."""
    one = _reading(at)
    one.layer, one.fresh, one.width = layer, fresh, width
    one.slot, one.unit, one.asked = 0, 0, 0


@kept_on_disk()
def read(pairs: bool, at: int) -> None:
    """All that is left of the reading at address ``at``."""
    while _is_left(_reading(at)):
        _read_next(pairs, at)


@njit
def coming(at: int) -> Any:
    """The address from which a product is to ask for what the reading needs next, and its pace; 0 and 0 at the end."""
    one = _reading(at)
    return (_unit_at(one) + one.asked, one.pace) if _is_left(one) else (0, 0)


@njit
def go_on(pairs: bool, at: int, count: int) -> None:
    """Another ``count`` bytes were asked for: read the units that are whole."""
    one = _reading(at)
    one.asked += count
    while _is_left(one) and one.asked >= _unit_bytes(one):
        slot = one.slot
        _read_next(pairs, at)
        one.asked = one.asked - _unit_bytes(one) if one.slot == slot else 0
