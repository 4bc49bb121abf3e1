"""Broken manifests give a project or a `ManifestError`: no traceback, no runaway, nothing written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _mutate(folder: Path, first: int, count: int) -> dict[str, int]:
    command = [
        sys.executable,
        str(Path(__file__).with_name("manifest_mutator.py")),
        str(ROOT / "manifests" / "emberfall.yaml"),
        str(folder / "broken"),
        str(first),
        str(count),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr[-4000:]
    tally: dict[str, int] = json.loads(done.stdout)
    return tally


def test_three_hundred_broken_manifests_end_well(tmp_path: Path) -> None:
    tally = _mutate(tmp_path, 0, 300)
    assert tally["loaded"] + tally["refused"] == 300
    assert tally["refused"] > 100
    assert tally["loaded"] > 10


@pytest.mark.slow
def test_ten_thousand_broken_manifests_end_well(tmp_path: Path) -> None:
    tally = _mutate(tmp_path, 1_000_000, 10_000)
    assert tally["loaded"] + tally["refused"] == 10_000
