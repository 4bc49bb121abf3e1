"""How many CPUs a process may use, by affinity and by control groups of both versions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import cpus
from pipeline.build import workers as worker_processes
from pipeline.build.workers import Worker

PROGRAM = "from pipeline.cpus import usable_cpus; print(usable_cpus())"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def process(folder: Path, groups: str, mounts: str) -> Path:
    """A folder like /proc/self, of a process in ``groups`` with control groups mounted by ``mounts``."""
    write(folder / "proc" / "cgroup", groups)
    write(folder / "proc" / "mountinfo", "22 1 0:20 / /proc rw - proc proc rw\n" + mounts)
    return folder / "proc"


def version_2(folder: Path, group: str) -> Path:
    return process(folder, f"0::{group}\n", f"30 23 0:26 / {folder}/fs rw shared:9 - cgroup2 cgroup2 rw\n")


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("max 100000", None), ("150000 100000", 1.5), ("50000 100000", 0.5), ("800000 200000", 4.0), ("", None)],
)
def test_the_quota_of_version_2_is_in_cpu_max(tmp_path: Path, limit: str, expected: float | None) -> None:
    write(tmp_path / "fs" / "game" / "cpu.max", limit)
    assert cpus.cgroup_quota(version_2(tmp_path, "/game")) == expected


def test_the_quota_of_a_parent_group_holds_too(tmp_path: Path) -> None:
    write(tmp_path / "fs" / "user" / "cpu.max", "200000 100000")
    write(tmp_path / "fs" / "user" / "a" / "job" / "cpu.max", "600000 100000")
    assert cpus.cgroup_quota(version_2(tmp_path, "/user/a/job")) == 2.0


@pytest.mark.parametrize(("quota", "expected"), [("-1", None), ("250000", 2.5), ("0", None)])
@pytest.mark.parametrize("group", ["/job", "/docker/0123"])
def test_the_quota_of_version_1_is_that_of_cfs_in_and_outside_of_a_container(
    tmp_path: Path, group: str, quota: str, expected: float | None
) -> None:
    root = "/docker/0123" if group.startswith("/docker") else "/"
    mounts = (
        f"31 23 0:27 {root} {tmp_path}/fs/memory rw - cgroup cgroup rw,memory\n"
        f"32 23 0:28 {root} {tmp_path}/fs/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    )
    here = tmp_path / "fs" / "cpu,cpuacct" / ("" if root == group else group[1:])
    write(here / "cpu.cfs_quota_us", quota + "\n")
    write(here / "cpu.cfs_period_us", "100000\n")
    groups = f"5:memory:{group}\n4:cpu,cpuacct:{group}\n"
    assert cpus.cgroup_quota(process(tmp_path, groups, mounts)) == expected


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert cpus.cgroup_quota(tmp_path) is None


@pytest.mark.parametrize(("quota", "expected"), [(None, 6), (0.5, 1), (2.5, 3), (40.0, 6)])
def test_the_lower_of_affinity_and_quota_counts(
    monkeypatch: pytest.MonkeyPatch, quota: float | None, expected: int
) -> None:
    monkeypatch.setattr(cpus, "affinity_cpus", lambda: 6)
    monkeypatch.setattr(cpus, "cgroup_quota", lambda: quota)
    assert cpus.usable_cpus() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_a_process_that_is_held_to_one_cpu_uses_one() -> None:
    one = min(os.sched_getaffinity(0))
    done = subprocess.run(
        [sys.executable, "-c", f"import os; os.sched_setaffinity(0, {{{one}}}); {PROGRAM}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "1"


@pytest.mark.parametrize(
    ("workers", "usable", "affinity", "expected"),
    [
        (4, 8, 8, "2"),  # a share each
        (8, 4, 4, "1"),  # never none
        (1, 2, 8, "2"),  # a quota that the libraries do not see
        (1, 8, 8, None),  # the libraries' own choice
    ],
)
def test_each_worker_caps_the_threads_of_its_libraries_to_its_share(
    monkeypatch: pytest.MonkeyPatch, workers: int, usable: int, affinity: int, expected: str | None
) -> None:
    monkeypatch.setattr(worker_processes, "usable_cpus", lambda: usable)
    monkeypatch.setattr(worker_processes, "affinity_cpus", lambda: affinity)
    for name in worker_processes.THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    environment = worker_processes.worker_environment(workers)
    assert environment.get("OMP_NUM_THREADS") == environment.get("OPENBLAS_NUM_THREADS") == expected
    assert environment["MKL_NUM_THREADS"] == "3"


def test_a_worker_process_has_its_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, str]] = []

    class Recorded(subprocess.Popen[bytes]):
        def __init__(self, *words: object, env: dict[str, str], **also: object) -> None:
            started.append(env)
            super().__init__(*words, env=env, **also)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    for name in worker_processes.THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    Worker(str(tmp_path), "cpu", 64).stop()
    assert [env["OMP_NUM_THREADS"] for env in started] == ["1"]
