"""The products, norms and draws that are compiled for CPUs, against PyTorch's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.generators.audiocraft import noise
from pipeline.generators.audiocraft.decoder import products
from pipeline.generators.audiocraft.decoder.norms import add_and_norm
from pipeline.generators.audiocraft.decoder.races import exponential, least
from pipeline.generators.audiocraft.decoder.weights import Linear, Norm

DTYPES = [torch.float32, torch.bfloat16]
ROUNDING = {torch.float32: (1e-5, 1e-5), torch.bfloat16: (2**-8, 1e-5)}
"""Of a sum of some thousands in float32, told in the format."""


def random_of(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def panels(weight: torch.Tensor, bias: torch.Tensor | None = None) -> products.Panels:
    if not products.serves(weight):
        pytest.skip("this processor has no use for products of ours")
    return products.Panels(weight, bias)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("rows", "inputs", "outputs"), [(64, 256, 96), (8, 8, 32), (13, 2080, 64), (1, 1056, 32)]
)
def test_a_product_is_that_of_float64(rows: int, inputs: int, outputs: int, dtype: torch.dtype) -> None:
    weight = (random_of(outputs, inputs, seed=1) / inputs**0.5).to(dtype)
    x, bias = random_of(rows, inputs, dtype=dtype, seed=2), random_of(outputs, dtype=dtype, seed=3)
    rtol, atol = ROUNDING[dtype]
    exact = x.double() @ weight.double().T
    torch.testing.assert_close(panels(weight)(x).double(), exact, rtol=rtol, atol=atol)
    own = panels(weight, bias)
    torch.testing.assert_close(own(x).double(), exact + bias.double(), rtol=rtol, atol=atol)
    through = torch.nn.functional.gelu(exact + bias.double())
    torch.testing.assert_close(own(x, True).double(), through, rtol=rtol, atol=atol)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_rows_product_depends_on_no_other_row(dtype: torch.dtype) -> None:
    own = panels(random_of(64, 512, dtype=dtype))
    x = random_of(40, 512, dtype=dtype, seed=5)
    whole = own(x)
    for some in (slice(0, 1), slice(3, 12), slice(7, 40)):
        assert torch.equal(own(x[some]), whole[some])
    x[4, 7] = torch.nan
    sick = own(x)
    assert sick[4].isnan().all()
    sick[4] = whole[4]
    assert torch.equal(sick, whole)


def test_gelu_is_within_float32s_own_rounding() -> None:
    x = torch.linspace(-12, 12, 8 * 4001).view(-1, 8)
    weight = torch.zeros(32, 8)
    weight[:8] = torch.eye(8)
    found = panels(weight)(x, True)[:, :8].double()
    torch.testing.assert_close(found, torch.nn.functional.gelu(x.double()), rtol=3e-7, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_linear_is_the_product_whoever_makes_it(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight, x = random_of(64, 128) / 11, random_of(6, 128, dtype=dtype, seed=1)
    ours = Linear(weight, None, dtype)
    monkeypatch.setattr(products, "serves", lambda weight: False)
    theirs = Linear(weight, None, dtype)
    rtol = 2**-7 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(ours(x), theirs(x), rtol=rtol, atol=1e-5)
    torch.testing.assert_close(ours.gelu(x), theirs.gelu(x), rtol=rtol, atol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dim", [24, 1024])
def test_adding_and_norm_are_pytorchs(dim: int, dtype: torch.dtype) -> None:
    norm = Norm(random_of(dim, seed=1), random_of(dim, seed=2), 1e-5)
    for delta, every in (
        (None, 1),
        (random_of(6, dim, dtype=dtype), 1),
        (random_of(6, dim, dtype=dtype), 2),
        (random_of(3, dim, dtype=dtype), 1),
    ):
        x = random_of(6, dim, seed=3)
        sums = x.clone()
        if delta is not None:
            sums.view(len(delta), -1, dim)[:, 0] += delta
        found = add_and_norm(x, delta, norm, dtype, every)
        assert torch.equal(x, sums)
        rtol, atol = (2**-8, 2e-6) if dtype == torch.bfloat16 else (1e-5, 2e-6)
        torch.testing.assert_close(found.float(), norm(sums[::every]), rtol=rtol, atol=atol)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4), st.integers(0, 10_000))
def test_the_race_has_the_bits_of_the_noise(keys: list[int], step: int) -> None:
    rows = torch.tensor(keys)
    steps = torch.arange(len(keys)) + step
    assert torch.equal(exponential(rows, steps, 48), noise.exponential(rows, steps, (48,)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.lists(st.integers(1, 40), min_size=1, max_size=4), st.floats(0, 60))
def test_the_threshold_of_top_k_is_the_kth_largest(seed: int, limits: list[int], spread: float) -> None:
    probs = (random_of(len(limits), 3, 40, seed=seed) * spread).softmax(-1)
    found = least(probs, torch.tensor(limits)[:, None, None])
    for slot, limit in enumerate(limits):
        expected = probs[slot].topk(limit).values[:, -1:] if limit < 40 else torch.zeros(3, 1)
        assert torch.equal(found[slot], expected)
