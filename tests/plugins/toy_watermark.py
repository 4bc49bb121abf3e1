"""A watermark for tests, found as any other package's is: a tone for each bit of the message, its sign the bit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

LEVEL = 0.002


class TonesWatermark:
    name = "tones"
    version = "1"
    model = "tones"
    revision = "1"
    license = "MIT"
    seconds_a_second = 0.0
    rate_hz = 8_000

    def missing(self) -> Iterable[str]:
        return ()

    def open(self) -> TonesWatermark:
        return self

    def mark(self, sound: Any, message: int) -> Any:
        signs = np.array([1 if message >> place & 1 else -1 for place in range(16)])
        return (LEVEL * signs @ self._tones(sound.size)).astype("float32")

    def find(self, sound: Any) -> tuple[Any, Any]:
        levels = 2 * self._tones(sound.size) @ sound / max(1, sound.size)
        return np.full(sound.size, np.abs(levels).mean() > LEVEL / 2), (levels > 0).astype("float32")

    def _tones(self, length: int) -> Any:
        pitches = 500.0 + 100.0 * np.arange(16)
        return np.sin(2 * np.pi * pitches[:, None] * np.arange(length) / self.rate_hz)


WATERMARK = TonesWatermark()
