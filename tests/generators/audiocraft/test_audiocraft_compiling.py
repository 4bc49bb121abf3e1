"""What Numba compiles for CPUs: without a folder to keep it in, and not at all where another backend computes steps."""

from __future__ import annotations

import subprocess
import sys

import pytest

ATTENTION = "pipeline.generators.audiocraft.decoding.cpu.attention"
WITHOUT_A_CACHE = f"""
from numba.core.caching import CompileResultCacheImpl
CompileResultCacheImpl._locator_classes = []
import numpy as np
from {ATTENTION} import attend
none = np.zeros(1, np.int64)
fresh, queries = np.zeros((1, 1, 2, 1, 4), np.float32), np.zeros((1, 1, 1, 4), np.float32)
out = np.ones((1, 1, 1, 4), np.float32)
attend(none, none, fresh, queries, (0, 1), out)
assert out.sum() == 4, "a slot without a cue is left out"
"""
OTHER_BACKENDS = f"""
import sys
from pipeline.generators.audiocraft import slot_decoding
from pipeline.generators.audiocraft.decoding import backends, session
loaded = sorted(name for name in sys.modules if name.partition(".")[0] in ("numba", "llvmlite"))
assert "{ATTENTION}" not in sys.modules
assert not loaded, loaded
"""


def run(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_read_only_install_without_a_cache_compiles_for_each_process() -> None:
    run(WITHOUT_A_CACHE)


def test_the_session_imports_no_compiled_modules_until_a_cpu_needs_them() -> None:
    run(OTHER_BACKENDS)
