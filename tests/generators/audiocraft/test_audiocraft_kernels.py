"""The Triton kernels without a GPU: what they compute, by Triton's interpreter, and that they compile for one."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_checkpoints import CROSSED

SUPPORT = Path(__file__).parents[2] / "support"
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="no Triton: pip install triton (Linux)"
)


def reported(*words: str, **environment: str) -> Any:
    paths = [str(SUPPORT), str(SUPPORT.parents[1]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, str(SUPPORT / "kernel_parity.py"), *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_kernels_compute_what_pytorch_does_and_decode_to_the_same_tokens(
    checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    kinds = ("music", "music-melody", "music-style", CROSSED)
    folders = [checkpoint(kind) for kind in kinds]
    found = reported(
        "interpret",
        str(folders[0].parent),
        *kinds,
        TRITON_INTERPRET="1",
        CUESMITH_MODELS=str(tmp_path),
    )
    assert found["self_test"] is None
    assert found["attention"] < 2e-6
    assert found["a_longer_neighbour"] == 0.0
    assert found["products"] < 1e-3
    assert found["draws"] > 0.999
    assert found["tokens"] == dict.fromkeys(kinds, True)


@pytest.mark.parametrize("capability", [80, 89, 90, 100])
def test_the_kernels_compile_for_every_generation(capability: int, tmp_path: Path) -> None:
    """Ampere, Ada, Hopper, Blackwell."""
    sizes = reported("compile", str(capability), TRITON_CACHE_DIR=str(tmp_path))
    kernels = ("_assign_chunks", "_attend", "_attend_text", "_add_and_norm", "_embed", "_multiply", "_draw")
    assert set(sizes) == set(kernels)
    assert min(sizes.values()) > 1000
