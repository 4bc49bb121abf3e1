"""Drawing the next tokens of all slots, each with its cue's own settings and random numbers.

A draw is ``argmax(p / e)`` with e from Exp(1), as in `audiocraft.sampling`; e is a function of the cue's seed, its
pass, the step, the codebook and the token, so nothing is read back and no other slot matters.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pipeline.generators.audiocraft.rows import UNKNOWN, Row
from pipeline.generators.audiocraft.sampling import Sampling, exponential_noise, guided, noise_keys

_EVERYTHING = 2.0
"""A top-p above every sum of probabilities."""


class SlotSampler:
    """Settings of every slot on the device, updated in place when a cue gets a slot.

    ``all_sampling`` are the settings of all cues to come: what none of them uses is left out of the step.
    """

    def __init__(self, slots: int, card: int, all_sampling: Sequence[Sampling], device: torch.device) -> None:
        self._card = card
        self._uses_top_p = any(sampling.top_p > 0 for sampling in all_sampling)
        self._uses_top_k = any(_limit(sampling, card) < card for sampling in all_sampling)
        self._keys = torch.zeros(slots, dtype=torch.int64, device=device)
        self._limits = torch.full((slots, 1, 1), card, dtype=torch.int64, device=device)
        self._numbers = torch.ones((5, slots, 1, 1), device=device)
        self._greedy, self._temperature, self._top_p, self._cfg, self._cfg_text = self._numbers

    def admit(self, slot: int, row: Row) -> None:
        """Use the settings of ``row`` in ``slot``."""
        sampling = row.sampling
        self._keys[slot] = int(noise_keys([row.seed], [row.number], "cpu")[0])
        self._limits[slot] = _limit(sampling, self._card)
        self._greedy[slot] = float(sampling.temperature <= 0)
        self._temperature[slot] = sampling.temperature if sampling.temperature > 0 else 1.0
        self._top_p[slot] = sampling.top_p if sampling.top_p > 0 else _EVERYTHING
        self._cfg[slot] = sampling.cfg
        self._cfg_text[slot] = sampling.cfg_text

    def draw(self, logits: torch.Tensor, steps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens [slots, codebooks] for ``steps`` [slots] from ``logits`` [slots, branches, codebooks, card].

        Also bool [slots, codebooks], True where a logit is not finite and the token means nothing.
        """
        steered = guided(logits.float().unbind(1), self._cfg, self._cfg_text)
        probs = torch.softmax(steered / self._temperature, dim=-1)
        probs = self._truncated(probs)
        drawn = (probs / exponential_noise(self._keys, steps, probs.shape[1:])).argmax(-1)
        return torch.where(self._greedy[..., 0] > 0, steered.argmax(-1), drawn), ~steered.isfinite().all(-1)

    def write(
        self, logits: torch.Tensor, codes: torch.Tensor, steps: torch.Tensor, broken: torch.Tensor
    ) -> None:
        """Draw the codes after ``steps`` [slots] into ``codes`` [slots, codebooks, n], where they are `UNKNOWN`.

        ``broken`` bool [slots] becomes True where a drawn token means nothing: see `draw`.
        """
        drawn, invalid = self.draw(logits, steps + 1)
        after = (steps + 1)[:, None, None].expand(-1, codes.shape[1], 1)
        known = codes.gather(2, after)
        is_open = known == UNKNOWN
        broken |= (invalid & is_open[..., 0]).any(-1)
        codes.scatter_(2, after, torch.where(is_open, drawn[..., None], known))

    def _truncated(self, probs: torch.Tensor) -> torch.Tensor:
        """``probs`` after top-k and top-p, not normalised again, which the draw does not need."""
        if not (self._uses_top_p or self._uses_top_k):
            return probs
        ordered = probs.sort(dim=-1, descending=True).values
        kept = self._limits.expand(*probs.shape[:2], 1)
        if self._uses_top_p:
            before = ordered.cumsum(-1) - ordered
            # With NaN nothing is within, and an index below 0 would be an error of the CUDA device.
            kept = torch.minimum(kept, (before <= self._top_p).sum(-1, keepdim=True)).clamp(min=1)
        return torch.where(probs >= ordered.gather(-1, kept - 1), probs, 0.0)


def _limit(sampling: Sampling, card: int) -> int:
    """Tokens that top-k keeps; top-p above 0 takes precedence."""
    return sampling.top_k if 0 < sampling.top_k < card and sampling.top_p <= 0 else card


def covers(all_sampling: Sequence[Sampling], sampling: Sampling) -> bool:
    """Whether a sampler for ``all_sampling`` can also draw with ``sampling``."""
    if sampling.top_p > 0:
        return any(other.top_p > 0 for other in all_sampling)
    return sampling.top_k <= max((other.top_k for other in all_sampling if other.top_p <= 0), default=0)
