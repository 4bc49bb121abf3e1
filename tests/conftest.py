"""What all tests share: the toy engine, a Prefect of their own, and property tests that repeat."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from properties import REPEATABLE

PLUGINS = Path(__file__).parent / "plugins"

if "PYTEST_XDIST_WORKER" in os.environ:
    # Processes side by side have the cores busy: threads of each one's BLAS would only wait for one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(PLUGINS))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PLUGINS), os.environ.get("PYTHONPATH")]))
os.environ["PREFECT_LOGGING_LEVEL"] = "CRITICAL"
os.environ["CUESMITH_CONFIG"] = tempfile.mkdtemp(prefix="cuesmith-config-")
os.environ["DO_NOT_TRACK"] = "1"
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ.pop("PREFECT_API_URL", None)
os.environ.pop("CUESMITH_OUTPUTS", None)
os.environ.pop("CUESMITH_C2PA_CERT", None)
os.environ.pop("CUESMITH_C2PA_KEY", None)
# What a sync protects from is a loss of power; tests that watch syncs run in processes of their own.
os.fsync = lambda descriptor: None

settings.load_profile(REPEATABLE)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over all that imports made: many tests collect, and some engines do."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """The URL of a real Prefect server, which every build of this process uses from now on."""
    from flows.api import prefect_api  # noqa: PLC0415

    with prefect_api() as url:
        yield url
