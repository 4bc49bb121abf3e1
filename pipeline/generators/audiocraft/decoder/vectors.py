"""Vectors of numbers in compiled loops: what `attention` and `products` are made of.

Numbers are kept in words of 32 bits: a float32, or two bfloat16, the first in the lower half. ``LANES`` words are one
vector. The loops are compiled by Numba for the processor at hand when they are first called, and kept on disk.
"""

from __future__ import annotations

import hashlib
import math
import mmap
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 32
"""Words of a vector: two registers of AVX-512, four of AVX2, eight of NEON."""
HAS_AVX512 = bool(binding.get_host_cpu_features().get("avx512f"))
HAS_AVX512_BF16 = bool(binding.get_host_cpu_features().get("avx512bf16"))

_PAGE = 1 << 21
"""Bytes of a large page."""
_REGISTER = 16
_UPPER = 0xFFFF0000

WORD, NUMBER, PLACE = ir.IntType(32), ir.FloatType(), ir.IntType(64)
WORDS, NUMBERS = ir.VectorType(WORD, LANES), ir.VectorType(NUMBER, LANES)
ZEROS = ir.Constant(NUMBERS, [0.0] * LANES)


def kept_on_disk(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` that is kept on disk until a file of this folder changes; with the GIL released.

    Numba looks at a function's own file, and would keep what was compiled into it from others.
    """

    def compiled(function: Callable[..., Any]) -> Any:
        # Files on disk are named by it.
        function.__qualname__ += f"_{_sources()}"
        try:
            return njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:
            # Neither this folder nor the user's cache can be written: each process compiles for itself.
            return njit(nogil=True, **options)(function)

    return compiled


@cache
def _sources() -> str:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def empty_words(shape: Sequence[int]) -> torch.Tensor:
    """Words, int32, from NumPy, which asks Linux for large pages: with small ones some time goes to finding them."""
    return torch.from_numpy(np.empty(shape, dtype=np.int32))


def words_in_large_pages(shape: Sequence[int]) -> torch.Tensor:
    """Words, int32, in large pages where Linux has them to give, for pieces of a few of them.

    An allocator gives such pieces from memory that it had before, whose pages are what they are.
    """
    size = 4 * math.prod(shape)
    if size < _PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return empty_words(shape)
    try:
        room = mmap.mmap(-1, size + _PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        room.madvise(mmap.MADV_HUGEPAGE)
    except OSError:
        # A kernel without large pages, or no memory, of which NumPy's error says more.
        return empty_words(shape)
    begin = -np.frombuffer(room, dtype=np.int32).ctypes.data % _PAGE
    words = np.frombuffer(room, dtype=np.int32, count=size // 4, offset=begin)
    return torch.from_numpy(words.reshape(shape))


class Memory:
    """Numbers, words or vectors behind an address, by their number."""

    def __init__(self, builder: Any, address: Any, kind: Any) -> None:
        self._builder = builder
        self._begin = builder.inttoptr(address, kind.as_pointer())

    def load(self, place: Any) -> Any:
        """What is at ``place``."""
        found = self._builder.load(self._builder.gep(self._begin, [place]))
        found.align = 4
        return found

    def store(self, value: Any, place: Any) -> None:
        """Put ``value`` at ``place``."""
        self._builder.store(value, self._builder.gep(self._begin, [place])).align = 4


def spread(builder: Any, one: Any) -> Any:
    """``one`` word or number in every lane."""
    empty = ir.Constant(ir.VectorType(one.type, LANES), ir.Undefined)
    first = builder.insert_element(empty, one, WORD(0))
    return builder.shuffle_vector(first, empty, ir.Constant(WORDS, [0] * LANES))


def parts_of(builder: Any, words: Any, pairs: bool) -> list[Any]:
    """The float32 vectors that a vector of words holds: of pairs the lower halves, then the upper ones."""
    if not pairs:
        return [builder.bitcast(words, NUMBERS)]
    lower = builder.shl(words, ir.Constant(WORDS, [16] * LANES))
    upper = builder.and_(words, ir.Constant(WORDS, [_UPPER] * LANES))
    return [builder.bitcast(lower, NUMBERS), builder.bitcast(upper, NUMBERS)]


def fused(builder: Any, numbers: Any, factor: Any, total: Any) -> Any:
    """``total`` + ``numbers`` * ``factor``, rounded once."""
    kind = ir.FunctionType(NUMBERS, [NUMBERS] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
    return builder.call(function, [numbers, factor, total])


def product(builder: Any, words: Any, others: Any, total: Any, pairs: bool) -> Any:
    """``total`` plus the products of what ``words`` and ``others`` hold: two of a pair."""
    if pairs and HAS_AVX512_BF16:
        return _of_pairs(builder, words, others, total)
    both = zip(parts_of(builder, words, pairs), parts_of(builder, others, pairs), strict=True)
    for one, other in both:
        total = fused(builder, one, other, total)
    return total


class _Bfloat16(ir.Type):  # type: ignore[misc]
    """LLVM's type, which llvmlite does not have."""

    intrinsic_name = "bf16"

    def _to_string(self) -> str:
        return "bfloat"


_PAIRS = ir.VectorType(_Bfloat16(), LANES)


def _of_pairs(builder: Any, words: Any, others: Any, total: Any) -> Any:
    """`product` of pairs by the processor's own instruction, a register at a time."""
    sums = ir.VectorType(NUMBER, _REGISTER)
    kind = ir.FunctionType(sums, [sums, _PAIRS, _PAIRS])
    name = f"llvm.x86.avx512bf16.dpbf16ps.{32 * _REGISTER}"
    add = cgutils.get_or_insert_function(builder.module, kind, name)
    halves = []
    for first in range(0, LANES, _REGISTER):
        within = ir.Constant(ir.VectorType(WORD, _REGISTER), list(range(first, first + _REGISTER)))
        own, other, before = (builder.shuffle_vector(one, one, within) for one in (words, others, total))
        halves.append(
            builder.call(add, [before, builder.bitcast(own, _PAIRS), builder.bitcast(other, _PAIRS)])
        )
    return builder.shuffle_vector(*halves, ir.Constant(WORDS, list(range(LANES))))


def narrowed(builder: Any, numbers: Any, pairs: bool) -> Any:
    """A vector of float32 as the words hold them: of pairs rounded to bfloat16."""
    return builder.fptrunc(numbers, _PAIRS) if pairs else numbers


def bring(builder: Any, address: Any) -> None:
    """Have the line at ``address`` brought near before it is used; no address is wrong."""
    near = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [near, WORD, WORD, WORD])
    prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    # To read, into the second level of the caches, as data.
    builder.call(prefetch, [builder.inttoptr(address, near), WORD(0), WORD(2), WORD(1)])


def is_pairs(kind: Any) -> bool:
    """Whether a literal of Numba's says that words are pairs."""
    return bool(kind.literal_value)


def _reading(kind: ir.Type, name: types.Type) -> Callable[..., Any]:
    @intrinsic
    def reading(context: Any, number: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], kind)

        return name(types.uint32 if name is types.float32 else types.float32), code

    found: Callable[..., Any] = reading
    return found


as_float = _reading(NUMBER, types.float32)
"""The float32 that a word holds."""
as_word = _reading(WORD, types.uint32)
"""The word that holds a float32."""


@intrinsic
def pointer(context: Any, address: Any) -> Any:
    """An address as a pointer, for `carray`."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), code


@njit(inline="always")
def rounded(number: Any) -> Any:
    """The upper 16 bits of a float32 rounded to the nearest bfloat16, ties to even; NaN stays NaN."""
    word = as_word(number)
    even = (word >> np.uint32(16)) & np.uint32(1)
    nearest = (word + np.uint32(0x7FFF) + even) >> np.uint32(16)
    return np.uint32(0x7FC0) if np.isnan(number) else nearest


_LOG2_E = np.float32(1.4426950408889634)
# ln 2 in two parts, the first with so few bits that its small multiples are exact (Cody and Waite, 1980).
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440e-4)
_LOWEST = np.float32(-87.0)
"""Below this exp is left at exp(-87), about 1.6e-38."""


@njit(inline="always")
def exp(x: Any) -> Any:
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
    return series * as_float(np.uint32(np.int32(whole) + np.int32(127)) << np.uint32(23))
