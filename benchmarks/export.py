"""How long an export of 1,000 assets takes: the first into an empty folder, and one with no change.

``python benchmarks/export.py`` times whole processes of `cuesmith export` for every target, on a project of 1,000
assets with four variations each (4,000 files), and ``cp -r`` of the same folder beside it. The project is made once in
``--work``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import rebuild_project
from platformdirs import user_cache_path
from rebuild_project import finish, manifest_text

from pipeline.export.targets import TARGETS

ASSETS = 1_000
ROOT = Path(__file__).parents[1]


def timed(*words: object) -> float:
    """Seconds of one command."""
    began = time.perf_counter()
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Make the project if it is not there, then time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=user_cache_path("cuesmith-bench") / "export")
    parser.add_argument("--assets", type=int, default=ASSETS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    project = options.work / str(options.assets)
    manifest, outputs = project / "cues.yaml", project / "outputs"
    project.mkdir(parents=True, exist_ok=True)
    manifest.write_text(manifest_text(options.assets * rebuild_project.VARIATIONS))
    finish(manifest, outputs)
    console, results = Path(sys.executable).with_name("cuesmith"), {}
    for target in TARGETS:
        folder = options.work / "game"
        shutil.rmtree(folder, ignore_errors=True)
        command = (console, "export", target, "--to", folder, "--outputs", outputs)
        first, again = timed(*command), min(timed(*command) for _ in range(3))
        copied = options.work / "copy"
        shutil.rmtree(copied, ignore_errors=True)
        results[target] = {
            "first_s": round(first, 2),
            "unchanged_s": round(again, 2),
            "cp_s": round(timed("cp", "-r", folder, copied), 2),
        }
        if not options.json:
            print(f"{target:<10} {results[target]}", flush=True)
    if options.json:
        print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
