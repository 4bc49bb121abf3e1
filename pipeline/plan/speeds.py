"""How long the takes of earlier builds on this machine really took, as a factor on what engines expect.

``cache/speeds/<digest>.json`` of a project's outputs: one small file for each machine, engine, model and device. Losing
it costs a worse estimate and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from pipeline.errors import CuesmithError
from pipeline.store import Store

SCHEMA = "cuesmith.take-speed/1"
_KEPT = 0.5
"""How much of what was known stays when a build is added, so that one odd build is soon forgotten."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What is known of one model on one device of this machine."""

    taken: float
    """Seconds that takes took, the latest build weighing most."""
    expected: float
    """Seconds that the engine expected for the same takes."""
    at: str
    """Day of the last build, ISO 8601."""

    @property
    def factor(self) -> float:
        """Seconds taken for each second expected."""
        return self.taken / self.expected

    @property
    def basis(self) -> str:
        """Where the figure comes from, for the person."""
        return f"earlier builds on this machine, the last on {self.at}"


SpeedOf = Callable[[str, str, str], Speed | None]
"""By engine, model and device."""


def speeds_in(store: Store) -> SpeedOf:
    """Looks up what builds of the project in ``store`` took on this machine."""

    def find(engine: str, model: str, device: str) -> Speed | None:
        try:
            record = json.loads(store.backend.read(_key(engine, model, device)))
            if record.pop("schema") != SCHEMA:
                return None
            speed = Speed(**record)
            return speed if speed.taken > 0 and speed.expected > 0 else None
        except (CuesmithError, ValueError, KeyError, TypeError, AttributeError):
            return None

    return find


def learn(store: Store, engine: str, model: str, device: str, *, taken: float, expected: float) -> None:
    """Remember that takes took ``taken`` seconds. A store that cannot be written is no reason to fail a build."""
    if taken <= 0 or expected <= 0:
        return
    known = speeds_in(store)(engine, model, device)
    if known is not None:
        taken, expected = taken + _KEPT * known.taken, expected + _KEPT * known.expected
    record = {"schema": SCHEMA, **asdict(Speed(taken, expected, f"{datetime.now(UTC):%Y-%m-%d}"))}
    with contextlib.suppress(CuesmithError):
        store.backend.write(_key(engine, model, device), json.dumps(record).encode())


def _key(engine: str, model: str, device: str) -> str:
    words = (platform.node(), platform.machine(), engine, model, device.partition(":")[0])
    return f"cache/speeds/{hashlib.sha256(chr(0).join(words).encode()).hexdigest()[:32]}.json"
