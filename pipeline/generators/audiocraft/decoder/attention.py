"""Attention of one query a row over its cached past, for CPUs: compiled loops that read each cached value once.

A step reads every slot's keys and values and uses nothing of it twice, so it can be no faster than memory is read, and
memory is read fastest in one go. So a layer's past of a slot lies as one piece, in the order in which it is used, and
the softmax is kept up as blocks go by (Milakov and Gimelshein: "Online normalizer calculation for softmax", 2018):

- a slab is [layers, blocks, words of a block]; a block is ``LANES`` positions of all rows, a row a head of one branch;
- a block is the keys [rows, words, LANES], then the values [rows, LANES, words rounded up to LANES].

So a vector holds one word of ``LANES`` keys or ``LANES`` words of one value, and neither product adds up within a
vector. A row's arithmetic depends on nothing but its own numbers and length.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import carray, njit, types
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
    pointer,
    product,
    rounded,
    spread,
)

_SUMS = {"reassoc", "contract", "nsz"}
"""Sums may be taken in the order that the processor's vectors like; NaN and infinity keep their meaning."""


@intrinsic
def _scores(context: Any, pairs: Any, keys: Any, words: Any, query: Any, scale: Any, scores: Any) -> Any:
    """Products of ``query`` with the keys of one block, times ``scale``; addresses but for count and scale."""
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
def _see(
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


@njit(cache=True, nogil=True, fastmath=_SUMS | {"nnan"})
def _highest(scores: Any, row: int, found: Any) -> Any:
    for lane in range(LANES):
        found = scores[row, lane] if scores[row, lane] > found else found
    return found


@njit(cache=True, nogil=True, fastmath=_SUMS)
def _shares(scores: Any, row: int, highest: Any) -> Any:
    """exp of the scores of ``row`` less ``highest``, in place, and their sum; NaN among them makes it NaN."""
    total = np.float32(0)
    for lane in range(LANES):
        share = exp(scores[row, lane] - highest)
        scores[row, lane] = share
        total += share
    return total


@njit(inline="always")
def _share(scores: Any, row: int, highest: Any, totals: Any) -> Any:
    """The scores of ``row`` to its shares, in place; how much of what it saw before stays."""
    top = _highest(scores, row, highest[row])
    kept = exp(highest[row] - top)
    highest[row] = top
    totals[row] = totals[row] * kept + _shares(scores, row, top)
    return kept


@njit(inline="always")
def _keep(fresh: Any, line: int, first: int, dim: int, keys: Any, values: Any, row: int, lane: int) -> None:
    """Key and value of ``row``, from word ``first`` of ``line``, to its block's ``keys`` and ``values``."""
    for word in range(keys.shape[1]):
        keys[row, word, lane] = fresh[line, dim + first + word]
        values[row, lane, word] = fresh[line, 2 * dim + first + word]


@njit(inline="always")
def _tell(seen: Any, row: int, total: Any, pairs: bool, count: int, out: Any, line: int, first: int) -> None:
    """``seen`` [rows, parts, words rounded up] of ``row`` over ``total``, as ``count`` words of ``line`` of ``out``."""
    scale = np.float32(1) / total
    for place in range(count):
        if pairs:
            upper = rounded(seen[row, 1, place] * scale) << np.uint32(16)
            out[line, first + place] = rounded(seen[row, 0, place] * scale) | upper
        else:
            out[line, first + place] = as_word(seen[row, 0, place] * scale)


@njit(nogil=True, cache=True)
def _rows(branches: int, heads: Any) -> Any:
    """The rows of a slot that are heads ``first`` to ``beyond`` of every branch."""
    first, beyond, all_heads = heads
    return np.array(
        [branch * all_heads + head for branch in range(branches) for head in range(first, beyond)]
    )


def _compiled(pairs: bool) -> Callable[..., None]:
    parts = 2 if pairs else 1

    @njit(nogil=True, cache=True)
    def attend(
        begins: Any,
        capacities: Any,
        lengths: Any,
        layer: int,
        branches: int,
        heads: Any,
        fresh: Any,
        out: Any,
    ) -> None:
        dim, width = out.shape[1], fresh.shape[1]
        keeps = width > dim
        all_heads = heads[2]
        words = dim // all_heads
        padded = (words + LANES - 1) // LANES * LANES
        rows = branches * all_heads
        own = _rows(branches, heads)
        scale = np.float32(1.0 / np.sqrt(words * parts))
        scores = np.empty((rows, LANES), np.float32)
        # What each row has seen so far: its highest score, the sum of its shares, and of values by their shares.
        highest, totals = np.empty(rows, np.float32), np.empty(rows, np.float32)
        kept = np.empty(rows, np.float32)
        seen = np.empty((rows, parts, padded), np.float32)
        fresh_at, scores_at, seen_at = fresh.ctypes.data, scores.ctypes.data, seen.ctypes.data
        for slot in range(lengths.shape[0]):
            if begins[slot] == 0:
                continue
            # Sizes of a block's keys and values, in words, and where the layer's begin.
            key_words, value_words = rows * words * LANES, rows * LANES * padded
            layer_at = begins[slot] + 4 * layer * capacities[slot] // LANES * (key_words + value_words)
            count = lengths[slot] + 1 if keeps else lengths[slot]
            highest[:] = -np.inf
            totals[:] = 0
            seen[:] = 0
            for block in range((count + LANES - 1) // LANES):
                within = min(LANES, count - block * LANES)
                keys_at = layer_at + 4 * block * (key_words + value_words)
                values_at = keys_at + 4 * key_words
                if keeps and within == count - block * LANES:
                    keys = carray(pointer(keys_at), (rows, words, LANES), np.uint32)
                    values = carray(pointer(values_at), (rows, LANES, padded), np.uint32)
                    for row in own:
                        line, first = slot * branches + row // all_heads, row % all_heads * words
                        _keep(fresh, line, first, dim, keys, values, row, within - 1)
                for row in own:
                    asked = (slot * branches + row // all_heads) * width + row % all_heads * words
                    row_at = keys_at + 4 * row * words * LANES
                    _scores(pairs, row_at, words, fresh_at + 4 * asked, scale, scores_at + 4 * row * LANES)
                for row in own:
                    for lane in range(within, LANES):
                        scores[row, lane] = -np.inf
                    kept[row] = _share(scores, row, highest, totals)
                for row in own:
                    for panel in range(0, padded, LANES):
                        value_at = values_at + 4 * (row * LANES * padded + panel)
                        told = seen_at + 4 * (row * parts * padded + panel)
                        shares = scores_at + 4 * row * LANES
                        _see(pairs, value_at, padded // LANES, shares, within, kept[row], told)
            for row in own:
                line, first = slot * branches + row // all_heads, row % all_heads * words
                _tell(seen, row, totals[row], pairs, words, out, line, first)

    found: Callable[..., None] = attend
    return found


attend_pairs = _compiled(True)
attend_numbers = _compiled(False)
