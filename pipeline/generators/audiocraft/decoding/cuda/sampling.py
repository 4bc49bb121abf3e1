"""The draw of all slots in one kernel: guidance, temperature, top-k and the random choice.

One program draws for one slot and codebook.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from pipeline.generators.audiocraft.decoding.cuda.layers import launch_options, wait_for_previous
from pipeline.generators.audiocraft.decoding.sampling import SlotSampler
from pipeline.generators.audiocraft.rows import UNKNOWN

_GAMMA = tl.constexpr(0x9E3779B97F4A7C15)
_MIX_1 = tl.constexpr(0xBF58476D1CE4E5B9)
_MIX_2 = tl.constexpr(0x94D049BB133111EB)
_BITS_OF_ONE = tl.constexpr(0x3F800000)


@triton.jit
def _mix(x):
    """As `audiocraft.sampling` mixes, in unsigned integers."""
    x = (x ^ (x >> 30)) * _MIX_1
    x = (x ^ (x >> 27)) * _MIX_2
    return x ^ (x >> 31)


@triton.jit
def _draw(
    logits,
    keys,
    steps,
    limits,
    numbers,
    codes,
    broken,
    slots,
    size,
    BRANCHES: tl.constexpr,
    CODEBOOKS: tl.constexpr,
    CARD: tl.constexpr,
    BLOCK: tl.constexpr,
    OPEN: tl.constexpr,
    CHAINED: tl.constexpr,
):
    slot, codebook = tl.program_id(0), tl.program_id(1)
    tokens = tl.arange(0, BLOCK)
    inside = tokens < CARD
    wait_for_previous(CHAINED)
    step = tl.load(steps + slot) + 1
    target = codes + (slot * CODEBOOKS + codebook) * size + step
    is_open = tl.load(target) == OPEN
    greedy, temperature = tl.load(numbers + slot), tl.load(numbers + slots + slot)
    cfg, cfg_text = tl.load(numbers + 3 * slots + slot), tl.load(numbers + 4 * slots + slot)
    first = logits + (slot * BRANCHES * CODEBOOKS + codebook) * CARD + tokens
    own = tl.load(first, mask=inside, other=0.0).to(tl.float32)
    null = tl.load(first + (BRANCHES - 1) * CODEBOOKS * CARD, mask=inside, other=0.0).to(tl.float32)
    if BRANCHES == 3:
        style = tl.load(first + CODEBOOKS * CARD, mask=inside, other=0.0).to(tl.float32)
        guided = null + cfg * (style + cfg_text * (own - style) - null)
    else:
        guided = null + (own - null) * cfg
    is_number = tl.abs(guided) < float("inf")
    is_broken = tl.sum(is_number.to(tl.int32), axis=0) < BLOCK
    tl.store(broken + slot, is_broken, mask=is_broken & is_open)
    guided = tl.where(inside & is_number, guided, float("-inf"))
    scaled = guided / temperature
    probabilities = tl.exp(scaled - tl.max(scaled, axis=0))
    bit_patterns = probabilities.to(tl.int32, bitcast=True)
    limit = tl.load(limits + slot).to(tl.int32)
    # The top-k threshold by bisection: the bit patterns of positive floats have the order of the floats.
    low = 0
    high = tl.where(limit >= CARD, 1, _BITS_OF_ONE + 1)
    while high - low > 1:
        middle = low + (high - low) // 2
        reached = tl.sum((bit_patterns >= middle).to(tl.int32), axis=0)
        low = tl.where(reached >= limit, middle, low)
        high = tl.where(reached >= limit, high, middle)
    probabilities = tl.where(bit_patterns >= low, probabilities, 0.0)
    key = tl.load(keys + slot).to(tl.uint64, bitcast=True)
    row = _mix(key + (step.to(tl.uint64) + 1) * _MIX_2)
    index = (codebook * CARD + tokens + 1).to(tl.uint64)
    bits = (_mix(row + index * _GAMMA) >> 41).to(tl.int32)
    exponential = -tl.log((bits.to(tl.float32) + 0.5) * (2.0**-23))
    token = tl.argmax(tl.where(inside, probabilities / exponential, -1.0), axis=0)
    likeliest = tl.argmax(guided, axis=0)
    tl.store(target, tl.where(greedy > 0, likeliest, token).to(tl.int64), mask=is_open)


class FusedSampler(SlotSampler):
    """`SlotSampler` in one kernel; top-p, which needs sorted tokens, falls back to PyTorch."""

    def write(
        self, logits: torch.Tensor, codes: torch.Tensor, steps: torch.Tensor, broken: torch.Tensor
    ) -> None:
        """See `SlotSampler.write`."""
        if self._uses_top_p:
            super().write(logits, codes, steps, broken)
            return
        slots, branches, codebooks, card = logits.shape
        _draw[(slots, codebooks)](
            logits,
            self._keys,
            steps,
            self._limits,
            self._numbers,
            codes,
            broken,
            slots,
            codes.shape[2],
            BRANCHES=branches,
            CODEBOOKS=codebooks,
            CARD=card,
            BLOCK=triton.next_power_of_2(card),
            OPEN=UNKNOWN,
            num_warps=4,
            **launch_options(logits.device),
        )
