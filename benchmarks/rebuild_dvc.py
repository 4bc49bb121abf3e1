"""DVC with nothing to do: a venv of its own, and a repository whose every stage is done.

DVC's first ``repro`` of 1,000 stages takes a quarter of an hour, so what it would leave is written here: inputs,
outputs, the cache, ``dvc.yaml`` and the ``dvc.lock`` that goes with them.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

VERSION = "3.67.1"
ENVIRONMENT = {"DVC_NO_ANALYTICS": "true", "DO_NOT_TRACK": "1"}
_CONFIG = """\
[core]
    no_scm = true
    analytics = false
    check_update = false
    site_cache_dir = {site}
"""


def install(folder: Path) -> Path:
    """DVC's command, installed into a venv in ``folder`` unless it is there."""
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    command = scripts / ("dvc.exe" if os.name == "nt" else "dvc")
    done = folder / f"dvc-{VERSION}"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(scripts / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, f"dvc=={VERSION}"], check=True, stdout=sys.stderr)
        done.touch()
    return command


def make_finished_repository(folder: Path, dvc: Path, stages: int) -> None:
    """Make ``folder`` a DVC repository of ``stages`` stages, each with one input and one output, all up to date.

    Raises AssertionError when DVC sees it otherwise.
    """
    if not (folder / "dvc.lock").exists():
        (folder / ".dvc").mkdir(parents=True, exist_ok=True)
        config = _CONFIG.format(site=folder.parent / "dvc-site")
        (folder / ".dvc" / "config").write_text(config, encoding="utf-8")
        asked, locked = ["stages:"], ["schema: '2.0'", "stages:"]
        for number in range(stages):
            digest, size = _write(folder, number)
            asked.append(f"  s{number}:\n    cmd: cp in/{number} out/{number}")
            asked.append(f"    deps: [in/{number}]\n    outs: [out/{number}]")
            locked.append(f"  s{number}:\n    cmd: cp in/{number} out/{number}")
            for role, path in (("deps", f"in/{number}"), ("outs", f"out/{number}")):
                locked.append(f"    {role}:\n    - path: {path}\n      hash: md5")
                locked.append(f"      md5: {digest}\n      size: {size}")
        (folder / "dvc.yaml").write_text("\n".join(asked) + "\n", encoding="utf-8")
        (folder / "dvc.lock").write_text("\n".join(locked) + "\n", encoding="utf-8")
    said = _say(dvc, folder, "status")
    if "up to date" not in said:
        raise AssertionError(f"the benchmark's DVC repository is not finished: {said[:500]}")
    said = _say(dvc, folder, "repro")
    if "Running stage" in said or "up to date" not in said:
        raise AssertionError(f"dvc repro had something to do: {said[:500]}")


def _write(folder: Path, number: int) -> tuple[str, int]:
    """One stage's input, its equal output, and the output in DVC's cache; MD5 and size."""
    data = f"sound {number}".encode()
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    cached = f".dvc/cache/files/md5/{digest[:2]}/{digest[2:]}"
    for name in (f"in/{number}", f"out/{number}", cached):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return digest, len(data)


def _say(dvc: Path, folder: Path, verb: str) -> str:
    done = subprocess.run(
        [str(dvc), verb],
        cwd=folder,
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr
