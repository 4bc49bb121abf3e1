"""How long Cuesmith takes when there is nothing to do, beside DVC in the same run.

``python benchmarks/rebuild.py`` times whole processes: a build with nothing to make and `plan`, at 1,000, 10,000 and
100,000 variations, and ``dvc repro`` and ``dvc status`` with nothing to do at 1,000 stages. Runs are interleaved, so
that a busy moment of the machine falls on all. The first run makes projects and a venv for DVC in ``--work`` (at
100,000 variations 500,000 small files, 2 GB, in some minutes); later runs use them again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rebuild_dvc
from platformdirs import user_cache_path
from rebuild_project import finish, manifest_text

ROOT = Path(__file__).parents[1]
DEMO, PROFILE = ROOT / "manifests" / "emberfall.yaml", "prototype"
SIZES = (1_000, 10_000, 100_000)
QUICK_SIZES = (1_000, 5_000)
SMALL = 4
"""One asset: what a command takes before size counts."""
LARGE = 50_000
"""From this size on a third of the runs is enough."""
STAGES = 1_000
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As a person has it: the first run of anything leaves its bytecode for the next."""


@dataclass
class Timed:
    """One command, and the seconds of each of its runs."""

    command: Sequence[str | Path]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    every: int = 1
    """Run in every so-manieth round."""
    seconds: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Run once, to its end."""
        began = time.perf_counter()
        done = subprocess.run(
            [str(word) for word in self.command],
            cwd=self.folder,
            env={**_ENVIRONMENT, **self.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        self.seconds.append(time.perf_counter() - began)
        if done.returncode:
            raise SystemExit(f"{self.command} ended with {done.returncode}:\n{done.stderr}")

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)

    def to_json(self) -> dict[str, Any]:
        """Median, extremes and the number of runs."""
        return {
            "median_s": round(self.median, 4),
            "min_s": round(min(self.seconds), 4),
            "max_s": round(max(self.seconds), 4),
            "runs": len(self.seconds),
        }


def main() -> None:
    options = _options()
    work: Path = options.work
    sizes = QUICK_SIZES if options.quick else SIZES
    timed = _cuesmith(work, sizes) | ({} if options.no_dvc else _dvc(work))
    for one in timed.values():
        one.run()
        one.seconds.clear()
    for number in range(options.rounds):
        _note(f"round {number + 1} of {options.rounds}")
        for one in timed.values():
            if number % one.every == 0:
                one.run()
    result = _result(timed, sizes)
    print(json.dumps(result, indent=1)) if options.json else _tell(result)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="only 1,000 and 5,000 variations")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=9, help="runs of each command (default 9)")
    parser.add_argument("--no-dvc", action="store_true", help="without DVC, and so without ratios")
    parser.add_argument("--work", type=Path, default=user_cache_path("cuesmith-benchmarks", appauthor=False))
    options = parser.parse_args()
    options.work = options.work.absolute()
    return options


def _cuesmith(work: Path, sizes: Sequence[int]) -> dict[str, Timed]:
    command = shutil.which("cuesmith", path=Path(sys.executable).parent)
    if command is None:
        raise SystemExit("cuesmith is not installed beside this Python; run: make bench-rebuild")
    finish(DEMO, work / "demo", PROFILE)
    plan_demo = (command, "plan", DEMO, "--profile", PROFILE, "--json", "--outputs")
    timed = {
        "pass": Timed((sys.executable, "-c", "pass"), ROOT),
        "help": Timed((command, "--help"), ROOT),
        "plan_demo": Timed((*plan_demo, work / "demo"), ROOT),
        "plan_demo_unbuilt": Timed((*plan_demo, work / "none"), ROOT),
    }
    for size in (SMALL, *sizes):
        folder = work / f"cuesmith-{size}"
        manifest, outputs = folder / "cues.yaml", folder / "outputs"
        folder.mkdir(parents=True, exist_ok=True)
        manifest.write_text(manifest_text(size), encoding="utf-8")
        _note(f"a finished project of {size:,} variations in {folder}")
        finish(manifest, outputs)
        for verb in ("plan", "build"):
            words = (command, verb, manifest, "--outputs", outputs, "--json")
            timed[f"{verb}_{size}"] = Timed(words, folder, every=3 if size >= LARGE else 1)
    return timed


def _dvc(work: Path) -> dict[str, Timed]:
    _note(f"DVC {rebuild_dvc.VERSION} with {STAGES:,} stages in {work}")
    dvc = rebuild_dvc.install(work / "dvc-venv")
    folder = work / f"dvc-{STAGES}"
    rebuild_dvc.make_finished_repository(folder, dvc, STAGES)
    return {
        "dvc_status": Timed((dvc, "status"), folder, rebuild_dvc.ENVIRONMENT),
        "dvc_repro": Timed((dvc, "repro"), folder, rebuild_dvc.ENVIRONMENT),
    }


def _result(timed: Mapping[str, Timed], sizes: Sequence[int]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.system()},
        "sizes": list(sizes),
        "seconds": {name: one.to_json() for name, one in timed.items()},
        "times_pass": {
            name: round(timed[name].median / timed["pass"].median, 2)
            for name in ("help", "plan_demo", "plan_demo_unbuilt")
        },
    }
    for verb in ("plan", "build"):
        start = timed[f"{verb}_{SMALL}"].median
        points = [(size, timed[f"{verb}_{size}"].median - start) for size in sizes]
        result[f"slope_{verb}"] = round(_slope(points), 3)
    for verb, rival in (("build", "dvc_repro"), ("plan", "dvc_status")):
        if rival in timed:
            pairs = zip(timed[rival].seconds, timed[f"{verb}_{STAGES}"].seconds, strict=True)
            ratios = [theirs / ours for theirs, ours in pairs]
            result[f"ratio_{verb}_vs_{rival}"] = round(statistics.median(ratios), 1)
            result[f"spread_{verb}_vs_{rival}"] = [round(min(ratios), 1), round(max(ratios), 1)]
    return result


def _slope(points: Sequence[tuple[int, float]]) -> float:
    """The exponent of growth: the least-squares slope of log seconds over log size. 1 is linear."""
    logs = [(math.log(size), math.log(max(seconds, 1e-6))) for size, seconds in points]
    return statistics.linear_regression(*zip(*logs, strict=True)).slope


def _tell(result: Mapping[str, Any]) -> None:
    machine = result["machine"]
    print(
        f"{machine['cpus']} CPUs, {machine['system']}, Python {machine['python']}; whole processes, seconds\n"
    )
    print(f"{'':<18}{'median':>9}{'min':>9}{'max':>9}{'runs':>6}")
    for name, one in result["seconds"].items():
        print(f"{name:<18}{one['median_s']:>9.3f}{one['min_s']:>9.3f}{one['max_s']:>9.3f}{one['runs']:>6}")
    print()
    for name, times in result["times_pass"].items():
        print(f"{name}: {times} times `python -c pass`")
    for verb in ("plan", "build"):
        print(f"{verb}: grows with exponent {result[f'slope_{verb}']} beyond one asset (1 is linear)")
    for name in [name for name in result if name.startswith("ratio_")]:
        low, high = result[name.replace("ratio_", "spread_", 1)]
        verb, _, rival = name.removeprefix("ratio_").partition("_vs_")
        print(f"{verb} is {result[name]} times faster than {rival.replace('_', ' ')} ({low} to {high})")


def _note(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
