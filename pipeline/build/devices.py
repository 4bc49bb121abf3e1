"""The devices of a build: ``auto``, ``cpu``, ``cpu:4`` (four workers), ``cuda:0,cuda:1``, ``mps``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.cpus import usable_cpus
from pipeline.errors import MachineError, UsageError
from pipeline.generators import Engine

_WORD = re.compile(r"cpu(:(?P<workers>[1-9]\d{0,2}))?|cuda(:\d{1,3})?|mps")


def parse_devices(text: str) -> tuple[str, ...] | None:
    """Return the devices, one entry per worker; None for ``auto``.

    >>> parse_devices("cpu:2,cuda:0")
    ('cpu', 'cpu', 'cuda:0')
    """
    words = [word.strip() for word in text.split(",")]
    if words == ["auto"]:
        return None
    devices: list[str] = []
    for word in words:
        match = _WORD.fullmatch(word)
        if match is None:
            raise UsageError(
                f"--devices {text!r}: {word!r} is not a device; "
                "give auto, cpu, cpu:4 (four workers), cuda:0,cuda:1 or mps"
            )
        devices.extend(["cpu"] * int(match["workers"] or 1) if word.startswith("cpu") else [word])
    return tuple(devices)


def devices_for(engine: Engine, requested: Sequence[str] | None) -> tuple[str, ...]:
    """Return the devices for ``engine``, one entry per worker.

    If the engine can use no requested kind of device (the sketch engine and ``cuda:0``), it gets its default devices.
    Raises `MachineError` if a requested device is not on this machine.
    """
    available = tuple(engine.devices())
    usable = [device for device in requested or () if _kind(device) in engine.device_kinds]
    if not usable:
        return available
    for device in usable:
        named = device if ":" in device else _kind(device)
        if named != "cpu" and not any(device in (other, _kind(other)) for other in available):
            raise MachineError(
                f"device {device} is not on this machine (engine {engine.name} can use: {', '.join(available)}); "
                "set --devices auto, or fix the driver; to see what this machine has: cuesmith doctor"
            )
    return tuple(usable)


def mastering_devices(requested: Sequence[str] | None) -> tuple[str, ...]:
    """Return the mastering workers, all on the CPU: N for ``cpu:N``, else one per core."""
    cpus = [device for device in requested or () if device == "cpu"]
    return tuple(cpus) if cpus else ("cpu",) * usable_cpus()


def _kind(device: str) -> str:
    return device.partition(":")[0]
