"""Products of some tens of rows with a weight matrix, for one thread of a CPU with AVX-512.

Such a product reads each weight once for all rows, and the next ones can be on their way meanwhile: a tile of ``ROWS``
rows by ``LANES`` outputs is summed up in registers, and with every few multiplications it asks for a line of the
weights that come next. oneDNN leaves that to the processor, and at 64 rows waits a tenth of the time for memory.

Weights are panels [outputs / LANES, words, LANES] in the words of `vectors`: what a tile reads is one piece. A row's
sums go through its numbers in order, so they depend on no other row and not on how many there are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numba import carray, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from pipeline.generators.audiocraft.decoder.readings import coming, go_on
from pipeline.generators.audiocraft.decoder.vectors import (
    HAS_AVX512,
    HAS_AVX512_BF16,
    LANES,
    NUMBERS,
    PLACE,
    WORD,
    WORDS,
    Memory,
    bring,
    exp,
    is_pairs,
    kept_on_disk,
    narrowed,
    pointer,
    product,
    spread,
    words_in_large_pages,
)

ROWS = 8
"""Rows of a tile: with two registers for each and two for the weights, most of the 32 that there are."""
_DEPTH = 512
"""Words of a panel at a time: 64 KiB, which stay in the second level of the caches until all rows are through."""
_STRIDE = _DEPTH + 16
"""Words from row to row of what is multiplied: a power of two would send all rows to the same places of a cache."""
_AT_ONCE = 4
"""Words of a tile between two turns of its loop; with every other one a line is asked for."""


def serves(weight: torch.Tensor) -> bool:
    """Whether `Panels` takes ``weight`` [outputs, inputs], and this processor has no faster way.

    Where there are whole tiles for it (AMX) bfloat16 is best left to oneDNN.
    """
    if weight.device.type != "cpu" or weight.shape[0] % LANES or weight.shape[1] % (2 * _AT_ONCE):
        return False
    if weight.dtype == torch.float32:
        return HAS_AVX512
    amx = bool(torch.cpu.get_capabilities().get("amx_bf16"))
    return weight.dtype == torch.bfloat16 and HAS_AVX512_BF16 and not amx


class Panels:
    """``x @ weight.T + bias`` for a weight that `serves`."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self._dtype, self._outputs = weight.dtype, weight.shape[0]
        words = weight.contiguous().view(torch.int32)
        panels = words.view(-1, LANES, words.shape[1]).transpose(1, 2)
        self._panels = words_in_large_pages(panels.shape).copy_(panels)
        self._bias = torch.zeros(self._outputs) if bias is None else bias.detach().float().contiguous()
        self._multiply = _multiply_pairs if weight.dtype == torch.bfloat16 else _multiply_numbers

    def turns(self, rows: int) -> int:
        """Words of tiles that a product of ``rows`` rows goes through."""
        panels, words, _ = self._panels.shape
        tiles = -(-rows // ROWS)
        return panels * words * tiles if tiles > 2 else 0

    def __call__(self, x: torch.Tensor, gelu: bool = False, beside: int = 0) -> torch.Tensor:
        """``x`` [rows, in] to [rows, out], through GELU if asked for."""
        x = x.contiguous()
        found = torch.empty((x.shape[0], self._outputs), dtype=self._dtype)
        panels, words, _ = self._panels.shape
        at = (x.data_ptr(), self._panels.data_ptr(), self._bias.data_ptr(), found.data_ptr())
        self._multiply(*at, x.shape[0], words, panels, gelu, beside)
        return found


@intrinsic
def _tile(
    context: Any,
    pairs: Any,
    weights: Any,
    words: Any,
    rows: Any,
    before: Any,
    step: Any,
    sums: Any,
    ahead: Any,
    pace: Any,
    also: Any,
    also_pace: Any,
) -> Any:
    """``sums`` of ``ROWS`` rows = those ``before``, ``step`` vectors apart, plus ``words`` vectors of weights times the
    rows' words.

    Addresses but for counts. Lines from ``also`` on, ``also_pace`` bytes further with each vector, are asked for, and
    with every other one those from ``ahead`` on, by ``pace``.
    """
    if not isinstance(pairs, types.Literal):
        return None

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, weights, words, rows, before, step, sums, ahead, pace, also, also_pace = arguments
        panel, x = Memory(builder, weights, WORDS), Memory(builder, rows, WORD)
        known, told = Memory(builder, before, NUMBERS), Memory(builder, sums, NUMBERS)
        totals = [cgutils.alloca_once(builder, NUMBERS) for _ in range(ROWS)]
        for row, total in enumerate(totals):
            builder.store(known.load(builder.mul(step, PLACE(row))), total)
        with cgutils.for_range(builder, builder.sdiv(words, PLACE(_AT_ONCE))) as stretch:
            begin = builder.mul(stretch.index, PLACE(_AT_ONCE))
            for number in range(_AT_ONCE):
                word = builder.add(begin, PLACE(number))
                if number % 2 == 0:
                    bring(builder, builder.add(ahead, builder.mul(word, pace)))
                bring(builder, builder.add(also, builder.mul(word, also_pace)))
                weight = panel.load(word)
                for row, total in enumerate(totals):
                    own = spread(builder, x.load(builder.add(word, PLACE(row * _STRIDE))))
                    builder.store(product(builder, weight, own, builder.load(total), is_pairs(pairs)), total)
        for row, total in enumerate(totals):
            told.store(builder.load(total), PLACE(row))
        return context.get_dummy_value()

    return types.void(pairs, *[types.int64] * 10), code


@intrinsic
def _tell(context: Any, pairs: Any, sums: Any, out: Any) -> Any:
    """``LANES`` sums as numbers of the weights' format; addresses."""
    if not isinstance(pairs, types.Literal):
        return None

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, sums, out = arguments
        told = narrowed(builder, Memory(builder, sums, NUMBERS).load(PLACE(0)), is_pairs(pairs))
        Memory(builder, out, told.type).store(told, PLACE(0))
        return context.get_dummy_value()

    return types.void(pairs, types.int64, types.int64), code


@njit(inline="always")
def _gelu(x: Any) -> Any:
    """GELU with erf to 1.5e-7 (Abramowitz and Stegun, 7.1.26)."""
    size = np.abs(x) * np.float32(0.7071067811865476)
    t = np.float32(1) / (np.float32(1) + np.float32(0.3275911) * size)
    series = np.float32(1.061405429)
    series = series * t - np.float32(1.453152027)
    series = series * t + np.float32(1.421413741)
    series = series * t - np.float32(0.284496736)
    series = series * t + np.float32(0.254829592)
    # 1 - erf, of which GELU takes half from x above 0 and leaves half of x below it.
    tail = series * t * exp(-size * size) * np.float32(0.5)
    return x * (np.float32(1) - tail) if x > 0 else x * tail


@njit(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _through_gelu(numbers: Any) -> None:
    for place in range(numbers.shape[0]):
        numbers[place] = _gelu(numbers[place])


@njit
def _pieces(x: Any) -> Any:
    """``x`` [rows, words] as [pieces, rows rounded up to tiles, _STRIDE]; what is added to it is thrown away."""
    rows, words = x.shape
    found = np.empty(((words + _DEPTH - 1) // _DEPTH, (rows + ROWS - 1) // ROWS * ROWS, _STRIDE), np.uint32)
    for piece in range(found.shape[0]):
        begin = piece * _DEPTH
        for row in range(rows):
            for word in range(min(_DEPTH, words - begin)):
                found[piece, row, word] = x[row, begin + word]
    return found


@njit(inline="always")
def _sum_up(pairs: bool, x: Any, words: int, panel_at: int, bias_at: int, sums: Any, beside: int) -> None:
    """``sums`` [rows, LANES] of one panel's outputs, of ``x`` as `_pieces` lays it out."""
    pieces, tiles = x.shape[0], x.shape[1] // ROWS
    x_at, sums_at = x.ctypes.data, sums.ctypes.data
    pace = 4 * LANES // tiles
    for piece in range(pieces):
        depth = min(_DEPTH, words - piece * _DEPTH)
        weights_at = panel_at + 4 * LANES * piece * _DEPTH
        past, past_pace = coming(beside) if beside and tiles > 2 else (0, 0)
        for tile in range(tiles):
            tile_at = x_at + 4 * _STRIDE * ROWS * (piece * tiles + tile)
            told = sums_at + 4 * LANES * ROWS * tile
            before, step = (told, 1) if piece else (bias_at, 0)
            asked = weights_at + depth * (4 * LANES + tile * pace)
            # With nothing to read it asks for what it has: the line that it is about to use.
            also, also_pace = (
                (past + tile * depth * past_pace, past_pace) if past else (weights_at, 4 * LANES)
            )
            _tile(pairs, weights_at, depth, tile_at, before, step, told, asked, pace, also, also_pace)
        if past:
            go_on(pairs, beside, tiles * depth * past_pace)


def _compiled(pairs: bool) -> Callable[..., None]:
    size = 2 if pairs else 4

    @kept_on_disk()
    def multiply(
        x_at: int,
        panels_at: int,
        bias_at: int,
        out_at: int,
        rows: int,
        words: int,
        panels: int,
        gelu: bool,
        beside: int,
    ) -> None:
        x = _pieces(carray(pointer(x_at), (rows, words), np.uint32))
        sums = np.empty((x.shape[1], LANES), np.float32)
        for panel in range(panels):
            here = LANES * panel
            _sum_up(pairs, x, words, panels_at + 4 * here * words, bias_at + 4 * here, sums, beside)
            if gelu:
                _through_gelu(sums.reshape(-1))
            for row in range(rows):
                told_at = out_at + size * (LANES * panels * row + here)
                _tell(pairs, sums.ctypes.data + 4 * LANES * row, told_at)

    found: Callable[..., None] = multiply
    return found


_multiply_pairs = _compiled(True)
_multiply_numbers = _compiled(False)
