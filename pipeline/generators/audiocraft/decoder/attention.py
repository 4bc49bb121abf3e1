"""Attention of one query a row over its cached past, for CPUs: compiled loops that read each cached value once.

A step reads every slot's keys and values and uses nothing of it twice, so it can be no faster than memory is read.
PyTorch's products of a matrix and one vector stay well below that. These loops are compiled by Numba for the
processor at hand when they are first called, and kept on disk.

Numbers are kept in words of 32 bits: a float32, or two bfloat16, the first in the lower half. ``LANES`` words are one
vector. Keys lie so that a vector holds one word of ``LANES`` positions, values so that it holds ``LANES`` words of
one position; so neither product adds up within a vector:

- keys [rows, blocks, words, LANES], a block being ``LANES`` positions;
- values [rows, positions, words rounded up to LANES].

A row's arithmetic depends on nothing but its own numbers and length.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 32
"""Words of a vector: two registers of AVX-512, four of AVX2, eight of NEON."""

_SUMS = {"reassoc", "contract", "nsz"}
"""Sums may be taken in the order that the processor's vectors like; NaN and infinity keep their meaning."""
_UPPER = 0xFFFF0000
_LOG2_E = np.float32(1.4426950408889634)
# ln 2 in two parts, the first with so few bits that its small multiples are exact (Cody and Waite, 1980).
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440e-4)
_LOWEST = np.float32(-87.0)
"""Below this exp is left at exp(-87), about 1.6e-38."""

_AHEAD = 1024
"""Bytes at the start of a row that are asked for early: the processor itself foresees what follows them."""

_WORD, _NUMBER, _PLACE = ir.IntType(32), ir.FloatType(), ir.IntType(64)
_WORDS, _NUMBERS = ir.VectorType(_WORD, LANES), ir.VectorType(_NUMBER, LANES)


def _all(word: int) -> Any:
    return ir.Constant(_WORDS, [word] * LANES)


def _spread(builder: Any, number: Any) -> Any:
    """``number`` in every lane."""
    empty = ir.Constant(_NUMBERS, ir.Undefined)
    first = builder.insert_element(empty, number, _WORD(0))
    return builder.shuffle_vector(first, empty, _all(0))


def _parts(builder: Any, words: Any, pairs: bool) -> list[Any]:
    """The float32 vectors that a vector of words holds: of pairs the lower halves, then the upper ones."""
    if not pairs:
        return [builder.bitcast(words, _NUMBERS)]
    lower = builder.shl(words, _all(16))
    upper = builder.and_(words, _all(_UPPER))
    return [builder.bitcast(lower, _NUMBERS), builder.bitcast(upper, _NUMBERS)]


def _add(builder: Any, sum_at: Any, numbers: Any, factor: Any) -> None:
    """``sum_at`` += ``numbers`` * ``factor``, rounded once."""
    kind = ir.FunctionType(_NUMBERS, [_NUMBERS] * 3)
    fused = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
    builder.store(builder.call(fused, [numbers, factor, builder.load(sum_at)]), sum_at)


class _Memory:
    """Vectors behind an address, by their number."""

    def __init__(self, builder: Any, address: Any, kind: Any) -> None:
        self._builder = builder
        self._begin = builder.inttoptr(address, kind.as_pointer())

    def load(self, place: Any) -> Any:
        found = self._builder.load(self._builder.gep(self._begin, [place]))
        found.align = 4
        return found

    def store(self, value: Any, place: Any) -> None:
        self._builder.store(value, self._builder.gep(self._begin, [place])).align = 4


def _is_pairs(kind: Any) -> bool:
    return bool(kind.literal_value)


@intrinsic
def _block_scores(
    context: Any, pairs: Any, keys: Any, words: Any, query: Any, blocks: Any, scores: Any
) -> Any:
    """Products of ``query`` with every key of ``blocks`` blocks; addresses but for the counts."""
    if not isinstance(pairs, types.Literal):
        return None
    count = 2 if _is_pairs(pairs) else 1

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, keys, words, query, blocks, scores = arguments
        past = _Memory(builder, keys, _WORDS)
        asked, told = _Memory(builder, query, _NUMBER), _Memory(builder, scores, _NUMBERS)
        sums = [cgutils.alloca_once(builder, _NUMBERS) for _ in range(count)]
        with cgutils.for_range(builder, blocks) as block:
            for one in sums:
                builder.store(ir.Constant(_NUMBERS, [0.0] * LANES), one)
            with cgutils.for_range(builder, words) as word:
                place = builder.add(builder.mul(block.index, words), word.index)
                for part, numbers in enumerate(_parts(builder, past.load(place), count == 2)):
                    of_part = builder.add(word.index, builder.mul(words, _PLACE(part)))
                    _add(builder, sums[part], numbers, _spread(builder, asked.load(of_part)))
            total = builder.load(sums[0])
            for one in sums[1:]:
                total = builder.fadd(total, builder.load(one))
            told.store(total, block.index)
        return context.get_dummy_value()

    return types.void(pairs, *[types.int64] * 5), code


@intrinsic
def _panel_sums(
    context: Any, pairs: Any, values: Any, stride: Any, weights: Any, count: Any, seen: Any
) -> Any:
    """The sum of ``count`` vectors of values, ``stride`` vectors apart, each times its weight."""
    if not isinstance(pairs, types.Literal):
        return None
    parts = 2 if _is_pairs(pairs) else 1

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, values, stride, weights, count, seen = arguments
        past = _Memory(builder, values, _WORDS)
        shares, told = _Memory(builder, weights, _NUMBER), _Memory(builder, seen, _NUMBERS)
        sums = [cgutils.alloca_once(builder, _NUMBERS) for _ in range(parts)]
        for one in sums:
            builder.store(ir.Constant(_NUMBERS, [0.0] * LANES), one)
        with cgutils.for_range(builder, count) as position:
            place = builder.mul(position.index, stride)
            share = _spread(builder, shares.load(position.index))
            for one, numbers in zip(sums, _parts(builder, past.load(place), parts == 2), strict=True):
                _add(builder, one, numbers, share)
        for part, one in enumerate(sums):
            told.store(builder.load(one), builder.mul(stride, _PLACE(part)))
        return context.get_dummy_value()

    return types.void(pairs, *[types.int64] * 5), code


def _reading(kind: ir.Type, name: types.Type) -> Callable[..., Any]:
    @intrinsic
    def reading(context: Any, number: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], kind)

        return name(types.uint32 if name is types.float32 else types.float32), code

    found: Callable[..., Any] = reading
    return found


_as_float = _reading(_NUMBER, types.float32)
"""The float32 that a word holds."""
_as_word = _reading(_WORD, types.uint32)
"""The word that holds a float32."""


@intrinsic
def _pointer(context: Any, address: Any) -> Any:
    """An address as a pointer, for `carray`."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), code


@intrinsic
def _ask(context: Any, address: Any) -> Any:
    """Have the first `_AHEAD` bytes at ``address`` brought near before they are used; no address is wrong."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        near = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [near, _WORD, _WORD, _WORD])
        bring = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        for line in range(0, _AHEAD, 64):
            there = builder.inttoptr(builder.add(arguments[0], _PLACE(line)), near)
            # To read, into all levels of the caches, as data.
            builder.call(bring, [there, _WORD(0), _WORD(3), _WORD(1)])
        return context.get_dummy_value()

    return types.void(types.int64), code


@njit(inline="always")
def _exp(x: Any) -> Any:
    """exp of float32 ``x`` <= 0, within 2e-7 of its value: range reduction and a polynomial (Cephes' expf)."""
    clamped = _LOWEST if x < _LOWEST else x
    whole = np.floor(clamped * _LOG2_E + np.float32(0.5))
    rest = clamped - whole * _LN2_HIGH
    rest = rest - whole * _LN2_LOW
    series = np.float32(1.9875691500e-4)
    series = series * rest + np.float32(1.3981999507e-3)
    series = series * rest + np.float32(8.3334519073e-3)
    series = series * rest + np.float32(4.1665795894e-2)
    series = series * rest + np.float32(1.6666665459e-1)
    series = series * rest + np.float32(5.0000001201e-1)
    series = series * rest * rest + rest + np.float32(1.0)
    return series * _as_float(np.uint32(np.int32(whole) + np.int32(127)) << np.uint32(23))


@njit(cache=True, nogil=True, fastmath=_SUMS | {"nnan"})
def _highest(scores: Any, count: int) -> Any:
    found = scores[0]
    for place in range(1, count):
        found = scores[place] if scores[place] > found else found
    return found


@njit(cache=True, nogil=True, fastmath=_SUMS)
def softmax(scores: Any, count: int) -> None:
    """Softmax of the first ``count`` of float32 ``scores`` in place; NaN among them makes all NaN."""
    highest = _highest(scores, count)
    total = np.float32(0)
    for place in range(count):
        share = _exp(scores[place] - highest)
        scores[place] = share
        total += share
    scale = np.float32(1) / total
    for place in range(count):
        scores[place] *= scale


@njit(inline="always")
def _rounded(number: Any) -> Any:
    """The upper 16 bits of a float32 rounded to the nearest bfloat16, ties to even; NaN stays NaN."""
    word = _as_word(number)
    if np.isnan(number):
        return np.uint32(0x7FC0)
    return (word + np.uint32(0x7FFF) + ((word >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)


@njit(inline="always")
def _split(row: Any, first: int, count: int, pairs: bool, scale: Any, query: Any) -> None:
    """``count`` words of ``row`` as numbers times ``scale``: of pairs the lower halves first, then the upper ones."""
    for place in range(count):
        word = row[first + place]
        if pairs:
            query[place] = _as_float(word << np.uint32(16)) * scale
            query[count + place] = _as_float(word & np.uint32(_UPPER)) * scale
        else:
            query[place] = _as_float(word) * scale


@njit(inline="always")
def _join(seen: Any, pairs: bool, count: int, row: Any, first: int) -> None:
    """The reverse of `_split`; ``seen`` [parts, words rounded up to LANES]."""
    for place in range(count):
        if pairs:
            row[first + place] = _rounded(seen[0, place]) | (_rounded(seen[1, place]) << np.uint32(16))
        else:
            row[first + place] = _as_word(seen[0, place])


def _compiled(pairs: bool) -> Callable[..., None]:
    parts = 2 if pairs else 1

    @njit(nogil=True, cache=True)
    def attend(
        begins: Any, capacities: Any, lengths: Any, layer: int, halves: int, heads: Any, fresh: Any, out: Any
    ) -> None:
        first, beyond, all_heads = heads
        dim = out.shape[1]
        keeps = fresh.shape[1] > dim
        words = dim // all_heads
        padded = (words + LANES - 1) // LANES * LANES
        rows = halves * all_heads
        scale = np.float32(1.0 / np.sqrt(words * parts))
        longest = LANES
        for slot in range(lengths.shape[0]):
            longest = max(longest, lengths[slot] + 1 + LANES)
        scores = np.empty(longest, np.float32)
        query = np.empty(words * parts, np.float32)
        seen = np.empty((parts, padded), np.float32)
        query_at, scores_at, seen_at = query.ctypes.data, scores.ctypes.data, seen.ctypes.data
        for slot in range(lengths.shape[0]):
            if begins[0, slot] == 0:
                continue
            capacity = capacities[slot]
            # Sizes of a row's keys and values, in words, and where the layer's begin.
            key_words, value_words = capacity * words, capacity * padded
            keys_at = begins[0, slot] + 4 * layer * rows * key_words
            values_at = begins[1, slot] + 4 * layer * rows * value_words
            keys = carray(_pointer(keys_at), (rows * key_words,), np.uint32)
            values = carray(_pointer(values_at), (rows * value_words,), np.uint32)
            before = lengths[slot]
            count = before + 1 if keeps else before
            for half in range(halves):
                row = slot * halves + half
                for head in range(first, beyond):
                    index = half * all_heads + head
                    here = head * words
                    if keeps:
                        key = index * key_words + before // LANES * words * LANES + before % LANES
                        value = index * value_words + before * padded
                        for word in range(words):
                            keys[key + word * LANES] = fresh[row, dim + here + word]
                            values[value + word] = fresh[row, 2 * dim + here + word]
                    _split(fresh[row], here, words, pairs, scale, query)
                    row_keys = keys_at + 4 * index * key_words
                    row_values = values_at + 4 * index * value_words
                    blocks = (count + LANES - 1) // LANES
                    _ask(row_values)
                    _block_scores(pairs, row_keys, words, query_at, blocks, scores_at)
                    softmax(scores, count)
                    _ask(row_keys + 4 * key_words)
                    for panel in range(0, 4 * padded, 4 * LANES):
                        _panel_sums(
                            pairs, row_values + panel, padded // LANES, scores_at, count, seen_at + panel
                        )
                    _join(seen, pairs, words, out[row], here)

    found: Callable[..., None] = attend
    return found


attend_pairs = _compiled(True)
attend_numbers = _compiled(False)
