"""The history of one asset: every version that changed it, and what people said about it."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, replace
from typing import Any

from pipeline.catalog.catalog import Catalog
from pipeline.catalog.diff import Change, diff
from pipeline.catalog.reviews import ReviewEvent, fold
from pipeline.catalog.version import Version


@dataclass(frozen=True)
class Step:
    """One version that changed the asset."""

    version: int
    created: str
    run: str
    change: Change

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {
            "version": self.version,
            "created": self.created,
            "run": self.run,
            **self.change.to_json(),
        }


def history(catalog: Catalog, asset: str, events: tuple[ReviewEvent, ...] = ()) -> list[Step]:
    """Every change of the assets that ``asset`` (an id or a glob) matches, oldest first.

    Each version is compared with the one that was the latest when it was published; ``events`` say what was
    rejected.
    """
    rejected = fold(events).rejected
    versions: dict[int, Version] = {}
    steps: list[Step] = []
    for number in catalog.numbers():
        version = _only(catalog.read(number), asset)
        before = versions.get(version.parent or 0, replace(version, masters=(), missing=()))
        steps.extend(
            Step(number, version.created, version.run, change)
            for change in diff(catalog.store, before, version, rejected)
        )
        versions[number] = version
    return steps


def _only(version: Version, asset: str) -> Version:
    return replace(
        version,
        masters=tuple(row for row in version.masters if fnmatch.fnmatchcase(row["asset"], asset)),
        missing=tuple(row for row in version.missing if fnmatch.fnmatchcase(row["asset"], asset)),
    )
