"""A score for tests, found as any other package's is: the loudest sample. It refuses takes shorter than 0.2 s."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.errors import MasteringError


class PeakScore:
    name = "peak"
    version = "1"

    def missing(self) -> Iterable[str]:
        return ()

    def open(self) -> PeakScore:
        return self

    def score(self, clip: Any, prompt: str) -> float:
        if clip.seconds < 0.2:
            raise MasteringError("peak: the take is too short; ask for 0.2 s or more")
        return round(float(abs(clip.samples).max()), 4)


SCORE = PeakScore()
