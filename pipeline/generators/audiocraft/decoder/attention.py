"""Attention of one query a row over its cached past, for CPUs: compiled loops that read each cached value once.

A step reads every slot's keys and values and uses nothing of it twice, and memory is read fastest in one go. So the
softmax is kept up as units go by (Milakov and Gimelshein: "Online normalizer calculation for softmax", 2018);
`readings` says how they lie. A row is a head of one branch of a slot, and its arithmetic depends on nothing but its own
numbers and length.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from pipeline.generators.audiocraft.decoder.vectors import (
    LANES,
    NUMBER,
    NUMBERS,
    PLACE,
    WORD,
    WORDS,
    ZEROS,
    Memory,
    as_word,
    exp,
    fused,
    is_pairs,
    parts_of,
    product,
    rounded,
    spread,
)

_SUMS = {"reassoc", "contract", "nsz"}
"""Sums may be taken in the order that the processor's vectors like; NaN and infinity keep their meaning."""


@intrinsic
def score(context: Any, pairs: Any, keys: Any, words: Any, query: Any, scale: Any, scores: Any) -> Any:
    """Products of ``query`` with the keys of one unit, times ``scale``; addresses but for count and scale."""
    if not isinstance(pairs, types.Literal):
        return None

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, keys, words, query, scale, scores = arguments
        past, asked = Memory(builder, keys, WORDS), Memory(builder, query, WORD)
        sums = cgutils.alloca_once(builder, NUMBERS)
        builder.store(ZEROS, sums)
        with cgutils.for_range(builder, words) as word:
            own = spread(builder, asked.load(word.index))
            total = product(builder, past.load(word.index), own, builder.load(sums), is_pairs(pairs))
            builder.store(total, sums)
        scaled = builder.fmul(builder.load(sums), spread(builder, scale))
        Memory(builder, scores, NUMBERS).store(scaled, PLACE(0))
        return context.get_dummy_value()

    numbers = [types.int64] * 3
    return types.void(pairs, *numbers, types.float32, types.int64), code


@intrinsic
def see(
    context: Any, pairs: Any, values: Any, stride: Any, shares: Any, count: Any, kept: Any, seen: Any
) -> Any:
    """``seen`` times ``kept``, plus ``count`` vectors of values, ``stride`` vectors apart, each times its share."""
    if not isinstance(pairs, types.Literal):
        return None
    parts = 2 if is_pairs(pairs) else 1

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, values, stride, shares, count, kept, seen = arguments
        past, told = Memory(builder, values, WORDS), Memory(builder, seen, NUMBERS)
        weights, factor = Memory(builder, shares, NUMBER), spread(builder, kept)
        sums = [cgutils.alloca_once(builder, NUMBERS) for _ in range(parts)]
        places = [builder.mul(stride, PLACE(part)) for part in range(parts)]
        for one, place in zip(sums, places, strict=True):
            builder.store(builder.fmul(told.load(place), factor), one)
        with cgutils.for_range(builder, count) as position:
            words = past.load(builder.mul(position.index, stride))
            share = spread(builder, weights.load(position.index))
            for one, numbers in zip(sums, parts_of(builder, words, parts == 2), strict=True):
                builder.store(fused(builder, numbers, share, builder.load(one)), one)
        for one, place in zip(sums, places, strict=True):
            told.store(builder.load(one), place)
        return context.get_dummy_value()

    numbers = [types.int64] * 4
    return types.void(pairs, *numbers, types.float32, types.int64), code


# Rows by their number below: a part of an array is counted for as long as it is there, by calls in every loop.


@njit(fastmath=_SUMS | {"nnan"})
def _highest(scores: Any, row: int, found: Any) -> Any:
    for lane in range(LANES):
        found = scores[row, lane] if scores[row, lane] > found else found
    return found


@njit(fastmath=_SUMS)
def _shares(scores: Any, row: int, highest: Any) -> Any:
    """exp of the scores of ``row`` less ``highest``, in place, and their sum; NaN among them makes it NaN."""
    total = np.float32(0)
    for lane in range(LANES):
        share = exp(scores[row, lane] - highest)
        scores[row, lane] = share
        total += share
    return total


@njit(inline="always")
def share_out(scores: Any, row: int, highest: Any, totals: Any) -> Any:
    """The scores of ``row`` to its shares, in place; how much of what it saw before stays."""
    top = _highest(scores, row, highest[row])
    kept = exp(highest[row] - top)
    highest[row] = top
    totals[row] = totals[row] * kept + _shares(scores, row, top)
    return kept


@njit(inline="always")
def keep(fresh: Any, line: int, first: int, dim: int, keys: Any, values: Any, row: int, lane: int) -> None:
    """Key and value of ``row``, from word ``first`` of ``line``, to its unit's ``keys`` and ``values``."""
    for word in range(keys.shape[1]):
        keys[row, word, lane] = fresh[line, dim + first + word]
        values[row, lane, word] = fresh[line, 2 * dim + first + word]


@njit(inline="always")
def tell(seen: Any, row: int, total: Any, pairs: bool, count: int, out: Any, line: int, first: int) -> None:
    """``seen`` [rows, parts, words rounded up] of ``row`` over ``total``, as ``count`` words of ``line`` of ``out``."""
    scale = np.float32(1) / total
    for place in range(count):
        if pairs:
            upper = rounded(seen[row, 1, place] * scale) << np.uint32(16)
            out[line, first + place] = rounded(seen[row, 0, place] * scale) | upper
        else:
            out[line, first + place] = as_word(seen[row, 0, place] * scale)
