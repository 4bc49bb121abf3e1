"""Products with weights in the order that a CPU reads best, against float64 and against one another's rows."""

from __future__ import annotations

import pytest
import torch

from pipeline.generators.audiocraft.decoding.weights import Linear

DTYPES = [torch.float32, torch.bfloat16]
ROUNDING = {torch.float32: (1e-5, 1e-5), torch.bfloat16: (2**-7, 1e-4)}
"""Of a sum of some thousands in float32, rounded to the format."""


def random_of(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("rows", "inputs", "outputs"), [(64, 256, 96), (8, 8, 32), (13, 2080, 64), (1, 1056, 32)]
)
def test_a_product_is_that_of_float64(rows: int, inputs: int, outputs: int, dtype: torch.dtype) -> None:
    weight = (random_of(outputs, inputs, seed=1) / inputs**0.5).to(dtype)
    x, bias = random_of(rows, inputs, dtype=dtype, seed=2), random_of(outputs, dtype=dtype, seed=3)
    rtol, atol = ROUNDING[dtype]
    exact = x.double() @ weight.double().T
    torch.testing.assert_close(Linear(weight, None, dtype)(x).double(), exact, rtol=rtol, atol=atol)
    own = Linear(weight, bias, dtype)
    torch.testing.assert_close(own(x).double(), exact + bias.double(), rtol=rtol, atol=atol)
    product = (exact + bias.double()).requires_grad_()
    through = torch.nn.functional.gelu(product)
    [slope] = torch.autograd.grad(through.sum(), product)
    # Where oneDNN has no bfloat16 (no AVX-512), the product is rounded before GELU too.
    allowed = rtol * (through.abs() + (slope * product).abs()) + atol
    assert ((own.gelu(x).double() - through).abs() <= allowed).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_rows_product_depends_on_no_other_row(dtype: torch.dtype) -> None:
    own = Linear(random_of(64, 512), None, dtype)
    x = random_of(40, 512, dtype=dtype, seed=5)
    whole = own(x)
    others = random_of(40, 512, dtype=dtype, seed=6)
    others[7:12] = x[7:12]
    assert torch.equal(own(others)[7:12], whole[7:12])
    x[4, 7] = torch.nan
    sick = own(x)
    assert sick[4].isnan().all()
    sick[4] = whole[4]
    assert torch.equal(sick, whole)
