"""The slot sampler draws from the distribution that it is given, and from nothing outside top-k and top-p."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import chisquare
from slot_samplers import slot_sampler

from pipeline.generators.audiocraft.sampling import Sampling

CARD = 24
DRAWS = 6000


def _logits() -> torch.Tensor:
    return torch.randn(2, 1, CARD, generator=torch.Generator().manual_seed(5)) * 1.5


def _expected(way: Sampling) -> torch.Tensor:
    own, null = _logits().double()
    probs = torch.softmax((null + (own - null) * way.cfg) / way.temperature, -1)[0]
    ordered, order = probs.sort(descending=True)
    keep = torch.ones(CARD, dtype=torch.bool)
    if way.top_p > 0:
        keep = ordered.cumsum(0) - ordered <= way.top_p
    elif way.top_k:
        keep = torch.arange(CARD) < way.top_k
    kept = torch.zeros(CARD, dtype=torch.float64)
    kept[order[keep]] = ordered[keep]
    return kept / kept.sum()


@pytest.mark.parametrize(
    "way",
    [
        Sampling(1.0, 0, 0.0, 1.0),
        Sampling(0.6, 0, 0.0, 2.0),
        Sampling(1.0, 7, 0.0, 1.5),
        Sampling(1.2, 0, 0.8, 1.0),
        Sampling(1.0, 3, 0.9, 1.0),
    ],
)
def test_draws_follow_the_distribution_and_stay_within_top_k_and_top_p(way: Sampling) -> None:
    # Each slot is a cue with a seed of its own; neighbours have other settings.
    ways = [way, Sampling(1.0, 2, 0.0, 1.0), Sampling(0.9, 0, 0.3, 1.0), way] * (DRAWS // 4)
    sampler = slot_sampler(ways, range(len(ways)), CARD)
    logits = _logits().expand(len(ways), 2, 1, CARD)
    drawn = sampler.draw(logits, torch.full((len(ways),), 3))[0][:, 0]
    own = torch.cat([drawn[0::4], drawn[3::4]])
    seen = torch.bincount(own, minlength=CARD)
    expected = _expected(way)
    assert int(seen[expected == 0].sum()) == 0
    likely = expected * len(own) >= 5
    rest = torch.tensor([float(seen[~likely].sum())]), (expected[~likely].sum() * len(own))[None]
    observed = torch.cat([seen[likely].double(), rest[0].double()])
    wanted = torch.cat([expected[likely] * len(own), rest[1]])
    full = wanted > 0
    assert chisquare(observed[full].numpy(), wanted[full].numpy()).pvalue > 1e-4


def test_one_cues_draws_at_successive_steps_are_independent() -> None:
    way = Sampling(1.0, 0, 0.0, 1.0)
    sampler = slot_sampler([way], [11], CARD)
    level = torch.zeros(1, 2, 1, CARD)
    drawn = torch.stack([sampler.draw(level, torch.tensor([step]))[0][0, 0] for step in range(DRAWS)])
    pairs = torch.bincount((drawn[:-1] % 4) * 4 + drawn[1:] % 4, minlength=16)
    assert chisquare(pairs.numpy()).pvalue > 1e-4


def test_a_slots_draw_does_not_depend_on_what_its_neighbours_ask_for() -> None:
    ways = [Sampling(1.0, 5, 0.0, 2.0), Sampling(0.8, 0, 0.7, 3.0), Sampling(0.0, 0, 0.0, 3.0)]
    logits = torch.randn(3, 2, 1, CARD, generator=torch.Generator().manual_seed(2))
    together = slot_sampler(ways, [4, 5, 6], CARD).draw(logits, torch.tensor([9, 2, 7]))[0]
    for slot, (way, step) in enumerate(zip(ways, (9, 2, 7), strict=True)):
        alone = slot_sampler([way], [4 + slot], CARD).draw(logits[slot : slot + 1], torch.tensor([step]))[0]
        assert torch.equal(alone[0], together[slot])
