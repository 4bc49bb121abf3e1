"""What a large build costs beside the work itself: memory of the flow, journal, catalog, and Prefect's share.

    python benchmarks/large_build.py --variations 1000 10000 --json

Real builds, each in a process of its own with a private Prefect server and a new store, of short sounds from the fake
engine of the tests. Everything else is real: the queue, workers, mastering, publishing. Prefect's share is the time
that the command spends outside the flow's own function (its server, its states), and for artifacts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
PLUGINS = ROOT / "tests" / "plugins"
VARIATIONS_AN_ASSET = 4
HEAD = """\
cuesmith: 1
project: large
defaults:
  sfx: {engine: toy, formats: [wav]}
assets:
"""


def manifest(variations: int) -> str:
    lines = (
        f"  - {{id: s/{number:06d}, kind: sfx, prompt: sound {number}, duration: 0.1s, "
        f"variations: {VARIATIONS_AN_ASSET}}}\n"
        for number in range(variations // VARIATIONS_AN_ASSET)
    )
    return HEAD + "".join(lines)


class Clock:
    """Adds up the seconds of calls."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds += time.perf_counter() - began

        return call


def build_one(folder: Path, variations: int, workers: int) -> dict[str, Any]:
    """Build in this process; its peak memory is that of the flow."""
    from flows import build as flow  # noqa: PLC0415 - the parent needs no Prefect
    from flows import command  # noqa: PLC0415
    from pipeline.build.journal import listening  # noqa: PLC0415
    from pipeline.build.prepare import BuildRequest, prepare_build  # noqa: PLC0415
    from pipeline.build.start import Start  # noqa: PLC0415

    path = folder / "cues.yaml"
    path.write_text(manifest(variations))
    request = BuildRequest(path, str(folder / "outputs"), devices=f"cpu:{workers}")
    start = Start(time.monotonic(), prepared=prepare_build(request))
    steps, artifacts = Clock(), Clock()
    server_cpu_s: list[float] = []
    flow.build.fn = steps.timed(flow.build.fn)
    flow.show_result = artifacts.timed(flow.show_result)
    flow.ProgressArtifact.__call__ = artifacts.timed(flow.ProgressArtifact.__call__)

    def listen(entry: dict[str, Any]) -> None:
        if entry["event"] == "build-done":
            server_cpu_s.extend(sum(one.cpu_times()[:2]) for one in _servers())

    before = resource.getrusage(resource.RUSAGE_SELF)
    before_mb, cpu_before_s = before.ru_maxrss / 1024, before.ru_utime + before.ru_stime
    began = time.perf_counter()
    with listening(listen):
        result = command.run_build(request, quiet=True, start=start)
    seconds = time.perf_counter() - began
    assert result["mastered"] == variations, result["failed"][:3]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    all_cpu_s = used.ru_utime + used.ru_stime + own.ru_utime + own.ru_stime
    flow_cpu_s = own.ru_utime + own.ru_stime - cpu_before_s
    prefect_s = seconds - steps.seconds + artifacts.seconds
    outputs = folder / "outputs"
    return {
        "variations": variations,
        "seconds": round(seconds, 1),
        "plan_memory_mb": round(before_mb, 1),
        "flow_memory_mb": round(own.ru_maxrss / 1024, 1),
        "flow_cpu_ms_each": round(1000 * flow_cpu_s / variations, 2),
        "journal_bytes": sum(path.stat().st_size for path in outputs.glob("runs/*/journal.jsonl")),
        "catalog_bytes": (outputs / "catalog/000001/catalog.json").stat().st_size,
        "prefect_s": round(prefect_s, 2),
        "prefect_share": round(prefect_s / seconds, 4),
        "prefect_cpu_s": round(sum(server_cpu_s), 2),
        "prefect_cpu_share": round(sum(server_cpu_s) / all_cpu_s, 4),
    }


def _servers() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "flows.api_server" in one.cmdline()]


def build_apart(variations: int, workers: int) -> dict[str, Any]:
    """`build_one` in a new process."""
    paths = os.pathsep.join([str(ROOT), str(PLUGINS), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "PREFECT_LOGGING_LEVEL": "CRITICAL"}
    environment.pop("PREFECT_API_URL", None)
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, __file__, "--one", folder, "--variations", str(variations)]
        done = subprocess.run(
            [*words, "--workers", str(workers)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def main() -> None:
    """Print a table, or with ``--json`` one object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--variations", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--workers", type=int, default=2, help="worker processes; default: %(default)s")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(build_one(asked.one, asked.variations[0], asked.workers)))
        return
    rows = [build_apart(variations, asked.workers) for variations in asked.variations]
    if asked.json:
        print(json.dumps({"workers": asked.workers, "builds": rows}))
        return
    names = list(rows[0])
    print("| " + " | ".join(name.replace("_", " ") for name in names) + " |")
    print("|" + "---:|" * len(names))
    for row in rows:
        print("| " + " | ".join(f"{row[name]:,}" for name in names) + " |")


if __name__ == "__main__":
    main()
