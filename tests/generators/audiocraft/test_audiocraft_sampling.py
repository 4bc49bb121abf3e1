"""The rows' own random numbers, and what is drawn with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples
from scipy import stats
from slot_samplers import slot_sampler

from pipeline.generators.audiocraft.audiocraft_modules import utils
from pipeline.generators.audiocraft.sampling import Sampling, exponential_noise, noise_keys

SEEDS = st.integers(0, 2**53 - 1)


def test_noise_is_exponential_and_uncorrelated() -> None:
    drawn = exponential_noise(noise_keys(range(64), [0] * 64, "cpu"), 3, (4, 512)).numpy()
    assert stats.kstest(drawn.ravel(), "expon").pvalue > 0.001
    assert drawn.min() > 0
    assert np.isfinite(drawn).all()
    assert abs(np.corrcoef(drawn[0].ravel(), drawn[1].ravel())[0, 1]) < 0.1
    assert abs(np.corrcoef(drawn[0, :, :-1].ravel(), drawn[0, :, 1:].ravel())[0, 1]) < 0.1


@given(st.lists(SEEDS, min_size=2, max_size=6, unique=True), st.integers(0, 5000), st.integers(0, 40))
@settings(max_examples=examples(30))
def test_a_rows_noise_depends_on_its_seed_pass_and_step_alone(
    seeds: list[int], step: int, number: int
) -> None:
    together = exponential_noise(noise_keys(seeds, [number] * len(seeds), "cpu"), step, (2, 8))
    for index, seed in enumerate(seeds):
        alone = exponential_noise(noise_keys([seed], [number], "cpu"), step, (2, 8))
        assert torch.equal(together[index], alone[0])
    assert len({tuple(row.ravel().tolist()) for row in together}) == len(seeds)
    other = exponential_noise(noise_keys(seeds, [number + 1] * len(seeds), "cpu"), step, (2, 8))
    later = exponential_noise(noise_keys(seeds, [number] * len(seeds), "cpu"), step + 1, (2, 8))
    assert not torch.equal(together, other)
    assert not torch.equal(together, later)


def _draw(rows: list[Sampling], logits: torch.Tensor, step: int = 0, first_seed: int = 0) -> torch.Tensor:
    """Tokens [rows, codebooks] of ``logits`` [rows, codebooks, card], each row with a seed of its own."""
    sampler = slot_sampler(rows, range(first_seed, first_seed + len(rows)), logits.shape[-1])
    return sampler.draw(torch.stack([logits, logits], dim=1), torch.full((len(rows),), step))[0]


def _draws(sampling: Sampling, logits: torch.Tensor, count: int = 10_000) -> np.ndarray:
    card = logits.shape[-1]
    drawn = _draw([sampling] * count, logits.expand(count, 1, card))
    return np.bincount(drawn[:, 0].numpy(), minlength=card)


def _expected(sampling: Sampling, logits: torch.Tensor) -> np.ndarray:
    """AudioCraft's own filters, seen through the probabilities that they would draw from."""
    probs = torch.softmax(logits / sampling.temperature, -1)[None].clone()
    if sampling.top_p > 0:
        ordered, index = probs.sort(dim=-1, descending=True)
        ordered *= ~(ordered.cumsum(-1) - ordered > sampling.top_p)
        probs = torch.zeros_like(probs).scatter(-1, index, ordered)
    elif sampling.top_k > 0:
        probs *= probs >= probs.topk(sampling.top_k, dim=-1).values[..., [-1]]
    exact = probs.double().numpy().ravel()
    return exact / exact.sum()


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(1.0, 0, 0.0), (0.7, 0, 0.0), (1.0, 5, 0.0), (1.3, 0, 0.8), (1.0, 3, 0.9)],
)
def test_tokens_are_drawn_from_audiocrafts_distribution(temperature: float, top_k: int, top_p: float) -> None:
    sampling = Sampling(temperature, top_k, top_p, 3.0)
    logits = torch.randn(24, generator=torch.Generator().manual_seed(2)) * 2
    counts, expected = _draws(sampling, logits), _expected(sampling, logits)
    assert counts[expected == 0].sum() == 0
    held = expected > 0
    assert stats.chisquare(counts[held], expected[held] * counts.sum()).pvalue > 0.001


def test_rows_of_one_batch_keep_their_own_settings() -> None:
    logits = torch.randn(24, generator=torch.Generator().manual_seed(2)).expand(3, 1, 24)
    rows = [Sampling(0.0, 0, 0.0, 1.0), Sampling(1.0, 1, 0.0, 1.0), Sampling(1.0, 0, 1e-6, 1.0)]
    drawn = _draw(rows, logits, first_seed=1)
    assert drawn.ravel().tolist() == [int(logits[0].argmax())] * 3


def test_audiocrafts_top_k_draws_the_same_token_on_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(1, 4, 64, generator=torch.Generator().manual_seed(1)) * 3
    noise = exponential_noise(noise_keys([5], [0], "cpu"), 1, (4, 64))
    monkeypatch.setattr(
        utils, "multinomial", lambda probs, num_samples: (probs / noise).argmax(-1, keepdim=True)
    )
    theirs = utils.sample_top_k(torch.softmax(logits, -1), 8)[..., 0]
    assert torch.equal(_draw([Sampling(1.0, 8, 0.0, 3.0)], logits, step=1, first_seed=5), theirs)
