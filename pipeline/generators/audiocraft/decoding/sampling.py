"""Drawing the next tokens of all slots, each with its cue's own settings and its own random numbers.

A draw is ``argmax(p / e)`` with e from Exp(1), as in `sampling`; e is a function of the cue's seed, its pass, the
step, the codebook and the token, so nothing is read back and no other slot matters.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pipeline.generators.audiocraft.rows import UNKNOWN, Row
from pipeline.generators.audiocraft.sampling import Sampling, exponential_noise, guided, noise_keys

_EVERYTHING = 2.0
"""A top-p that no sum of probabilities reaches."""


class SlotSampler:
    """Settings of every slot, on the device, changed where they are as cues come and go.

    ``everyone`` are the settings of all cues to come: what none of them asks for is left out of the step.
    """

    def __init__(self, slots: int, card: int, everyone: Sequence[Sampling], device: torch.device) -> None:
        self._card = card
        self._uses_top_p = any(one.top_p > 0 for one in everyone)
        self._most = max((_limit(one, card) for one in everyone if _limit(one, card) < card), default=0)
        self._keys = torch.zeros(slots, dtype=torch.int64, device=device)
        self._limits = torch.full((slots, 1, 1), card, dtype=torch.int64, device=device)
        self._numbers = torch.ones((5, slots, 1, 1), device=device)
        self._greedy, self._temperature, self._top_p, self._cfg, self._cfg_text = self._numbers

    def admit(self, slot: int, row: Row) -> None:
        """Take the settings of ``row`` for ``slot``."""
        asked = row.sampling
        self._keys[slot] = int(noise_keys([row.seed], [row.number], "cpu")[0])
        self._limits[slot] = _limit(asked, self._card)
        self._greedy[slot] = float(asked.temperature <= 0)
        self._temperature[slot] = asked.temperature if asked.temperature > 0 else 1.0
        self._top_p[slot] = asked.top_p if asked.top_p > 0 else _EVERYTHING
        self._cfg[slot] = asked.cfg
        self._cfg_text[slot] = asked.cfg_text

    def draw(self, logits: torch.Tensor, steps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens [slots, codebooks] for ``steps`` [slots] from ``logits`` [slots, branches, codebooks, card].

        And where they mean nothing, since not every logit is a number: bool [slots, codebooks].
        """
        pushed = guided(logits.float().unbind(1), self._cfg, self._cfg_text)
        probs = torch.softmax(pushed / self._temperature, dim=-1)
        probs = self._narrowed(probs)
        drawn = (probs / self._race(steps, probs.shape)).argmax(-1)
        return torch.where(self._greedy[..., 0] > 0, pushed.argmax(-1), drawn), ~pushed.isfinite().all(-1)

    def write(
        self, logits: torch.Tensor, codes: torch.Tensor, steps: torch.Tensor, broken: torch.Tensor
    ) -> None:
        """Draw what comes after ``steps`` [slots] into ``codes`` [slots, codebooks, n], where it is `UNKNOWN`.

        ``broken`` bool [slots] becomes true where a draw means nothing: see `draw`.
        """
        drawn, unsound = self.draw(logits, steps + 1)
        after = (steps + 1)[:, None, None].expand(-1, codes.shape[1], 1)
        known = codes.gather(2, after)
        is_open = known == UNKNOWN
        broken |= (unsound & is_open[..., 0]).any(-1)
        codes.scatter_(2, after, torch.where(is_open, drawn[..., None], known))

    def _race(self, steps: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        """Draws from Exp(1), of ``shape`` [slots, codebooks, card]."""
        return exponential_noise(self._keys, steps, shape[1:])

    def _narrowed(self, probs: torch.Tensor) -> torch.Tensor:
        """``probs`` without what top-k and top-p leave out, not scaled up again: a race needs no scale."""
        if self._uses_top_p:
            ordered = probs.sort(dim=-1, descending=True).values
            before = ordered.cumsum(-1) - ordered
            within = (before <= self._top_p).sum(-1, keepdim=True)
            # NaN leaves nothing within; an index below 0 would bring a CUDA device down.
            last = torch.minimum(self._limits.expand_as(within), within).clamp(min=1) - 1
            least = ordered.gather(-1, last)
        elif self._most:
            least = self._least(probs)
        else:
            return probs
        return torch.where(probs >= least, probs, 0.0)

    def _least(self, probs: torch.Tensor) -> torch.Tensor:
        """The smallest of ``probs`` that top-k leaves, [slots, codebooks, 1]; 0 where it leaves all."""
        ordered = probs.topk(self._most, dim=-1).values
        last = (self._limits.clamp(max=self._most) - 1).expand(*probs.shape[:2], 1)
        return torch.where(self._limits < self._card, ordered.gather(-1, last), 0.0)


def _limit(asked: Sampling, card: int) -> int:
    """Tokens that top-k leaves; top-p above 0 goes before it."""
    return asked.top_k if 0 < asked.top_k < card and asked.top_p <= 0 else card
