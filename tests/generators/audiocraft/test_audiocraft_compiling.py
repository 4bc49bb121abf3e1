"""Loops that Numba compiles work where nothing can be kept on disk."""

from __future__ import annotations

import subprocess
import sys

WITHOUT_A_CACHE = """
from numba.core.caching import CompileResultCacheImpl
CompileResultCacheImpl._locator_classes = []
import torch
from pipeline.generators.audiocraft.decoder import norms, readings
from pipeline.generators.audiocraft.decoder.races import exponential
keys = torch.tensor([1, 2], dtype=torch.int64)
assert exponential(keys, torch.zeros(2, dtype=torch.int64), 3).shape == (2, 3)
"""


def test_a_read_only_install_without_a_cache_compiles_for_each_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_A_CACHE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
