"""A build killed before any one of its system calls leaves a whole store, and the next build finishes it.

`strace` kills the process as it enters the n-th call of a kind, for every kind that changes a disk.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from toy_build import digest, take_bytes

from pipeline.store import ObjectRef, Store, verify

TOY = Path(__file__).with_name("toy_build.py")
PROJECT = TOY.parents[2]
CALLS = (
    "write",
    "fsync",
    "rename",
    "link",
    "linkat",
    "openat",
    "mkdir",
    "unlink",
    "chmod",
    "flock",
    "ftruncate",
)

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


@dataclass(frozen=True)
class KillPoint:
    call: str
    number: int
    """Counted from 1 over all calls of this kind that the process makes."""

    def __str__(self) -> str:
        return f"{self.call}-{self.number}"


def toy(root: Path, takes: int, *strace: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOY), str(root), str(takes)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(PROJECT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }
    prefix = ["strace", "-f", "-qq", *strace] if strace else []
    return subprocess.run(
        [*prefix, *command], env=environment, cwd=root.parent, capture_output=True, text=True, check=False
    )


def trace(folder: Path, takes: int) -> list[str]:
    """Each system call of one whole build, as strace writes it with the paths of descriptors."""
    log = folder / "trace"
    arguments = (
        "-y",
        "-s",
        "200",
        "-o",
        str(log),
        "-e",
        f"trace={','.join('?' + call for call in CALLS)},?renameat,close",
    )
    done = toy(folder / "outputs", takes, *arguments)
    if done.returncode != 0:
        pytest.skip(f"strace cannot trace here: {done.stderr.strip()[:200]}")
    return [re.sub(r"^\d+ +", "", line) for line in log.read_text().splitlines()]


def kill_points(folder: Path, takes: int) -> list[KillPoint]:
    """Every call that a build makes from the first that touches its store on."""
    points, counts, begun = [], dict.fromkeys(CALLS, 0), False
    for line in trace(folder, takes):
        call = line.partition("(")[0]
        begun = begun or f"{folder}/outputs" in line
        if call in counts:
            counts[call] += 1
            if begun:
                points.append(KillPoint(call, counts[call]))
    return points


def check_whole(root: Path) -> set[str]:
    """Everything named is there and whole, and strays lie in ``tmp/`` only; returns the finished takes."""
    store = Store.open(root)
    assert [str(finding) for finding in verify(store) if not finding.key.startswith("tmp/")] == []
    for room in ("takes", "catalog", "channels"):
        for entry in store.backend.list(room):
            assert json.loads(store.backend.read(entry.key))["schema"].startswith("cuesmith.")
    for entry in store.backend.list("channels"):
        version = json.loads(store.backend.read(entry.key))["version"]
        assert store.backend.exists(f"catalog/{version:06d}/catalog.json")
    for line in store.backend.read_lines("runs/toy/journal.jsonl"):
        json.loads(line)
    return store.records("takes")


def kill_and_continue(root: Path, takes: int, point: KillPoint) -> None:
    shutil.rmtree(root, ignore_errors=True)
    killed = toy(
        root, takes, "-o", os.devnull, "-e", f"trace={point.call}",
        "-e", f"inject={point.call}:signal=KILL:when={point.number}",
    )  # fmt: skip
    assert killed.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), killed.stderr
    finished = check_whole(root)
    again = toy(root, takes)
    assert again.returncode == 0, again.stderr
    assert int(again.stdout) == takes - len(finished)
    assert check_whole(root) == {digest(number) for number in range(takes)}
    assert Store.open(root).objects() == {ObjectRef.of(take_bytes(n), ".flac").sha256 for n in range(takes)}
    assert len(os.listdir(root / "catalog")) == 1


def test_a_few_kill_points_of_every_kind(tmp_path: Path) -> None:
    points = kill_points(tmp_path, takes=3)
    by_kind = {call: [point for point in points if point.call == call] for call in CALLS}
    for kind in by_kind.values():
        for point in kind[:: max(1, len(kind) // 2)][:2]:
            kill_and_continue(tmp_path / "outputs", 3, point)


@pytest.mark.slow
def test_every_kill_point(tmp_path: Path) -> None:
    points = kill_points(tmp_path, takes=8)
    assert len(points) >= 200
    for point in points:
        kill_and_continue(tmp_path / "outputs", 8, point)
    print(f"{len(points)} kill points")


def test_every_name_is_given_to_flushed_bytes_and_flushed_before_the_next(tmp_path: Path) -> None:
    flushed: set[str] = set()
    open_names: set[str] = set()
    renamed = 0
    for line in trace(tmp_path, takes=3):
        if match := re.match(r"fsync\(\d+<(.*)>\) += 0", line):
            flushed.add(match[1])
            open_names = {name for name in open_names if os.path.dirname(name) != match[1]}
        elif match := re.match(r'(?:rename|link)\("(.*?)", "(.*?)"\) += 0', line):
            assert match[1] in flushed, f"renamed before it was flushed: {line}"
            assert not open_names, f"{line} came before the folders of {open_names} were flushed"
            open_names.add(match[2])
            renamed += 1
    assert renamed == 3 * 2 + 2
    assert not open_names
