"""The history of one asset: every version that changed it, and what people said about it."""

from __future__ import annotations

import fnmatch
from collections.abc import Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
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
    rejected by then, where a version does not record its reasons. A version that cannot be read is left out.
    """
    versions: dict[int, Version] = {}
    steps: list[Step] = []
    for whole in catalog.readable():
        version, number = _only(whole, asset), whole.number
        before = versions.get(version.parent or 0, replace(version, masters=(), missing=()))
        steps.extend(
            Step(number, version.created, version.run, change)
            for change in diff(catalog.store, before, version, rejected_before(version, events))
        )
        versions[number] = version
    return steps


def rejected_before(version: Version, events: tuple[ReviewEvent, ...]) -> Set[str]:
    """Recipe digests of the takes that were rejected when ``version`` was published."""
    published = datetime.fromisoformat(version.created)
    published = published if published.tzinfo else published.replace(tzinfo=UTC)
    return fold(event for event in events if event.moment <= published).rejected


def _only(version: Version, asset: str) -> Version:
    return replace(
        version,
        masters=tuple(row for row in version.masters if fnmatch.fnmatchcase(row["asset"], asset)),
        missing=tuple(row for row in version.missing if fnmatch.fnmatchcase(row["asset"], asset)),
    )
