"""What ``cuesmith doctor`` tells of a CUDA device, on a stand-in for one."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch

from pipeline.generators.audiocraft import probe
from pipeline.generators.audiocraft.decoding import backends
from pipeline.generators.protocol import Diagnostic

CUDA_STEP = "pipeline.generators.audiocraft.decoding.cuda.step"


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "NVIDIA H200")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (139 << 30, 141 << 30))
    backends.triton_problem.cache_clear()


def steps() -> Diagnostic:
    (found,) = [one for one in probe.diagnostics() if one.what == "cuda:0 steps"]
    return found


@pytest.mark.usefixtures("one_gpu")
def test_a_device_without_triton_is_said_to_be_slower_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, CUDA_STEP, raising=False)
    found = steps()
    assert "five times slower (Triton is not installed)" in found.found
    assert found.fix is not None
    assert "C compiler" in found.fix


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize("answer", [None, "the norm kernel differs from PyTorch"])
def test_kernels_are_tried(answer: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "triton_problem", lambda device: answer)
    found = steps()
    assert (found.fix is None) == (answer is None)
    assert ("Cuesmith's own kernels" if answer is None else answer) in found.found


@pytest.mark.usefixtures("one_gpu")
def test_an_error_of_many_lines_is_reported_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(device: torch.device) -> None:
        raise RuntimeError("Failed to find C compiler.\nSet CC.")

    class Nothing:
        def __init__(self, device: torch.device) -> None: ...

        def __enter__(self) -> None: ...

        def __exit__(self, *error: object) -> None: ...

    monkeypatch.setattr(torch.cuda, "device", Nothing)
    monkeypatch.setitem(sys.modules, CUDA_STEP, SimpleNamespace(self_test=failing))
    assert "(RuntimeError: Failed to find C compiler.)" in steps().found
