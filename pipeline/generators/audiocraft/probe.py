"""What this machine has for the engine: devices, their memory, versions, optional packages. Imports torch."""

from __future__ import annotations

import importlib

import torch

from pipeline.errors import CuesmithError
from pipeline.generators.audiocraft import import_shims
from pipeline.generators.pickles import SAFE_TORCH
from pipeline.generators.protocol import Diagnostic


def diagnostics() -> list[Diagnostic]:
    """Versions, optional packages and devices, as lines."""
    return [_torch(), _audiocraft(), _optional_packages(), *_devices()]


def _torch() -> Diagnostic:
    version = torch.__version__
    is_safe = tuple(int(part) for part in version.split("+")[0].split(".")[:2]) >= SAFE_TORCH
    return Diagnostic(
        "torch", version, None if is_safe else "too old to read weights safely: make setup-audiocraft"
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
    lines = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        lines.append(
            Diagnostic(f"cuda:{index}", f"{name}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free")
        )
        lines.append(_steps(index))
    if torch.backends.mps.is_available():
        lines.append(Diagnostic("mps", "Apple GPU"))
    if not lines:
        built = "torch is built without CUDA" if torch.version.cuda is None else "torch finds no device"
        fix = "AudioCraft runs on the CPU, slowly; for a GPU install its driver and the CUDA build of torch"
        lines.append(Diagnostic("gpu", f"none: {built}", fix))
    return lines


def _steps(index: int) -> Diagnostic:
    """Which backend computes the slot decoder's steps; the kernels are compiled and tested."""
    what = f"cuda:{index} steps"
    try:
        # Imported here, since it needs AudioCraft, which may be missing.
        backends = importlib.import_module("pipeline.generators.audiocraft.decoding.backends")
    except (CuesmithError, ImportError):
        return Diagnostic(what, "not tested", "install AudioCraft first: make setup-audiocraft")
    reason = backends.triton_problem(torch.device("cuda", index))
    if reason is None:
        return Diagnostic(what, "Cuesmith's own kernels")
    fix = "install a C compiler and Triton, which PyTorch's CUDA builds for Linux include"
    return Diagnostic(what, f"PyTorch's attention, about five times slower ({reason})", fix)
