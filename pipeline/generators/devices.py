"""The devices of this machine for engines that generate with torch, asked of torch in a process of its own. Light."""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pipeline.cpus import usable_cpus

_PROBE = """
import json, torch
names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
print(json.dumps({"cuda": names, "mps": torch.backends.mps.is_available()}))
"""


@cache
def torch_devices() -> Mapping[str, str]:
    """Devices to use by default, and their names: every CUDA device; else MPS; else the CPU, since torch uses all its
    cores."""
    alone = {"cpu": processor_name()}
    if shutil.which("nvidia-smi") is None and sys.platform != "darwin":
        return alone
    done = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return alone
    if found["cuda"]:
        return {f"cuda:{index}": name for index, name in enumerate(found["cuda"])}
    return {"mps": processor_name()} if found["mps"] else alone


def kind_of(device: str) -> str:
    """The kind of a device: ``cuda`` of ``cuda:0``."""
    return device.partition(":")[0]


@cache
def processor_name() -> str:
    """This machine's processor, by name and cores."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        name = next(names, name)
    return f"{name}, {usable_cpus()} cores"
