"""What this machine has for the engine: devices, their memory, versions, optional packages. Imports torch."""

from __future__ import annotations

import importlib

import torch

from pipeline.errors import CuesmithError
from pipeline.generators.audiocraft import import_shims
from pipeline.generators.audiocraft.pickles import SAFE_TORCH
from pipeline.generators.protocol import Diagnostic


def diagnostics() -> list[Diagnostic]:
    """Versions, optional packages and devices, as lines."""
    return [_torch(), _audiocraft(), _optional_packages(), *_devices()]


def _torch() -> Diagnostic:
    found = torch.__version__
    sound = tuple(int(part) for part in found.split("+")[0].split(".")[:2]) >= SAFE_TORCH
    return Diagnostic(
        "torch", found, None if sound else "too old to read weights safely: make setup-audiocraft"
    )


def _audiocraft() -> Diagnostic:
    try:
        package = import_shims.import_audiocraft()
    except CuesmithError as error:
        return Diagnostic("audiocraft", "cannot be imported", str(error))
    return Diagnostic("audiocraft", str(package.__version__))


def _optional_packages() -> Diagnostic:
    missing = import_shims.missing_packages()
    return Diagnostic(
        "optional packages",
        f"not installed, substituted: {', '.join(missing)}" if missing else "all installed",
    )


def _devices() -> list[Diagnostic]:
    found = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        found.append(
            Diagnostic(f"cuda:{index}", f"{name}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free")
        )
        found.append(_steps(index))
    if torch.backends.mps.is_available():
        found.append(Diagnostic("mps", "Apple GPU"))
    if not found:
        built = "torch has no CUDA in it" if torch.version.cuda is None else "torch sees no device"
        fix = "AudioCraft runs on the CPU, slowly; for a GPU install its driver and the CUDA build of torch"
        found.append(Diagnostic("gpu", f"none: {built}", fix))
    return found


def _steps(index: int) -> Diagnostic:
    """What the slot decoder's steps are made of: its kernels are compiled and tried."""
    what = f"cuda:{index} steps"
    try:
        # By name, since it needs AudioCraft, of which this also says that it is missing.
        backends = importlib.import_module("pipeline.generators.audiocraft.decoding.backends")
    except (CuesmithError, ImportError):
        return Diagnostic(what, "not tried", "AudioCraft first: make setup-audiocraft")
    reason = backends.triton_problem(torch.device("cuda", index))
    if reason is None:
        return Diagnostic(what, "Cuesmith's own kernels")
    fix = "install a C compiler and Triton, which PyTorch's builds with CUDA bring on Linux"
    return Diagnostic(what, f"PyTorch's attention, some five times slower ({reason})", fix)
