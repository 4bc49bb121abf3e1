"""Which devices a build uses: ``auto``, ``cpu``, ``cpu:4`` (four workers), ``cuda:0,cuda:1``, ``mps``."""

from __future__ import annotations

import re
from collections.abc import Sequence

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


def devices_for(engine: Engine, asked: Sequence[str] | None) -> tuple[str, ...]:
    """Return the devices for ``engine``, one entry per worker.

    An engine that can use no asked kind of device at all (the sketch engine beside ``cuda:0``) takes its own.
    Raises `MachineError` when an asked device is not on this machine.
    """
    here = tuple(engine.devices())
    usable = [device for device in asked or () if _kind(device) in engine.device_kinds]
    if not usable:
        return here
    for device in usable:
        named = device if ":" in device else _kind(device)
        if named != "cpu" and not any(device in (found, _kind(found)) for found in here):
            raise MachineError(
                f"device {device} is not on this machine (engine {engine.name} finds: {', '.join(here)}); "
                "give --devices auto, or mend the driver: `cuesmith doctor` tells what it sees"
            )
    return tuple(usable)


def _kind(device: str) -> str:
    return device.partition(":")[0]
