"""A local `plan` pays for nothing that only writers, locks or object stores need."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pipeline.store import Store

READ_ONLY = """
import sys
from pipeline.store import Store
store = Store.open(sys.argv[1])
assert len(store.objects()) == 1 and store.records("takes") == {"aa"}
assert store.get_record("takes", "aa", "cuesmith.take/1")
heavy = {"asyncio", "filelock", "fsspec", "http.client", "numpy", "pandas", "pipeline.store.remote", "s3fs"}
print(sorted(heavy & sys.modules.keys()))
"""


def test_looking_into_a_local_store_imports_nothing_heavy(
    local: Store, put_take: Callable[[Store, str, bytes], None]
) -> None:
    put_take(local, "aa", b"sound")
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, local.root],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[]\n", done.stderr
