"""What builds on this machine have really taken, as a factor on the arithmetic of `costs`. Light: no torch.

``<model store>/speeds/<digest>.json``: one small file a model and device. It lies beside the models, not with the
outputs, because a team shares the outputs and not the machine. Losing it costs a worse estimate and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from pipeline.cpus import usable_cpus
from pipeline.errors import MachineError
from pipeline.generators.audiocraft import model_store

SCHEMA = "cuesmith.speed/1"
_KEPT = 0.5
"""How much of what was known stays when something new is learned, so that one odd build is soon forgotten."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What is known of one model on one device."""

    model: str
    revision: str
    device: str
    """The device's name, such as ``NVIDIA H200``."""
    dtype: str
    slots: int
    taken: float
    """Seconds that takes took, the latest build weighing most."""
    expected: float
    """Seconds that the arithmetic gives for the same takes."""
    load: float
    """Seconds until the model was on the device; 0 where that was not seen."""
    at: str
    """Day of the last build."""

    @property
    def factor(self) -> float:
        """Seconds against the arithmetic's."""
        return self.taken / self.expected


def find(model: str, revision: str, device: str) -> Speed | None:
    """What is known of ``model`` on the device of that name; None when nothing was made on it yet."""
    try:
        record = model_store.read_json(_place(model, revision, device))
        if record.pop("schema") != SCHEMA:
            return None
        found = Speed(**record)
        return found if found.expected > 0 and found.taken > 0 else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def learn(
    *,
    model: str,
    revision: str,
    device: str,
    dtype: str,
    slots: int,
    taken: float,
    expected: float,
    load: float | None,
) -> None:
    """Remember that takes took ``taken`` seconds. A store that cannot be written is no reason to fail a build."""
    known = find(model, revision, device)
    kept = _KEPT if known is not None else 0.0
    old_taken, old_expected, old_load = (
        (known.taken, known.expected, known.load) if known else (0.0, 0.0, 0.0)
    )
    speed = Speed(
        model=model,
        revision=revision,
        device=device,
        dtype=dtype,
        slots=slots,
        taken=kept * old_taken + taken,
        expected=kept * old_expected + expected,
        load=old_load if load is None else load,
        at=f"{datetime.now(UTC):%Y-%m-%d}",
    )
    with contextlib.suppress(MachineError):
        model_store.put_json(_place(model, revision, device), {"schema": SCHEMA, **asdict(speed)})


def start_of(device: str) -> float | None:
    """Seconds that a worker took to import its libraries; None when that was not seen."""
    try:
        return float(model_store.read_json(_place("start", "", device))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def learn_start(device: str, seconds: float) -> None:
    """Remember how long the libraries took."""
    with contextlib.suppress(MachineError):
        model_store.put_json(
            _place("start", "", device), {"schema": SCHEMA, "device": device, "seconds": seconds}
        )


@cache
def processor() -> str:
    """This machine's processor, by name and cores."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        name = next(named, name)
    return f"{name}, {usable_cpus()} cores"


def _place(model: str, revision: str, device: str) -> Path:
    digest = hashlib.sha256("\0".join((model, revision, device)).encode()).hexdigest()
    return model_store.root() / "speeds" / f"{digest[:32]}.json"
