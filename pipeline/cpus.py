"""How many CPUs this process may use: by its affinity, and by its control groups (containers, systemd, Slurm)."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

_PROCESS = Path("/proc/self")


def usable_cpus() -> int:
    """The number of CPUs that this process may keep busy, at least 1.

    The affinity mask and the CPU quota of control groups both count; a quota of 1.5 CPUs is 2.
    """
    quota = cgroup_quota()
    return affinity_cpus() if quota is None else max(1, min(affinity_cpus(), math.ceil(quota)))


def affinity_cpus() -> int:
    """The number of CPUs that this process may be scheduled on; all of them where the system knows no affinity."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cgroup_quota(process: Path = _PROCESS) -> float | None:
    """The lowest CPU quota, in CPUs, among the control groups that this process is in; None without a limit.

    ``process`` is its folder in /proc. Limits of version 2 stand in ``cpu.max``, those of version 1 in
    ``cpu.cfs_quota_us`` and ``cpu.cfs_period_us``; those of parent groups hold too (Linux, "Control Group v2",
    "CFS Bandwidth Control").
    """
    quotas = [quota for folder in _group_folders(process) if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def _group_folders(process: Path) -> Iterator[Path]:
    """The folder of each control group with a CPU controller, then those of its parents up to the mount point."""
    try:
        groups = _groups((process / "cgroup").read_text())
        mounts = (process / "mountinfo").read_text()
    except (OSError, UnicodeDecodeError):
        return
    for line in mounts.splitlines():
        place, _, system = line.partition(" - ")
        fields, kind = place.split(" "), system.split(" ")
        if len(fields) < 5 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        controllers = "" if kind[0] == "cgroup2" else "cpu"
        if controllers and "cpu" not in kind[2].split(","):
            continue
        root, mount = (field.encode().decode("unicode_escape") for field in fields[3:5])
        group = Path(groups.get(controllers, "/"))
        # In a container without a namespace of its own the group's path is the host's, and its mount is the group.
        inside = group.relative_to(root) if group.is_relative_to(root) else Path()
        yield from (Path(mount) / one for one in (inside, *inside.parents))


def _groups(text: str) -> dict[str, str]:
    """Paths of the groups of /proc/self/cgroup: of version 2 as "", of version 1 by controller."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        found |= dict.fromkeys(controllers.split(","), path)
    return found


def _quota(folder: Path) -> float | None:
    """The CPU quota of one control group, in CPUs."""
    try:
        if (folder / "cpu.max").is_file():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{one}_us").read_text() for one in ("quota", "period"))
        share = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
    return share if share > 0 else None
