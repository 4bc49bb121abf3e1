"""What is already made: the last catalog version's rows, the store's takes, masters and objects, the reviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property

from pipeline.provenance import MASTER_SCHEMA, TAKE_SCHEMA, MasterRecord, MasterRow, TakeRecord
from pipeline.store import Store

APPROVED = "approved in review"
LOCKED = "locked in review"
LOCKED_IN_MANIFEST = "lock: true in the manifest"
WILL_WAIT = "approved in review: the new take will wait"
WAITS = "approved in review: the new take waits beside it"
TAKES_ITS_PLACE = "approved in review: the waiting take takes its place"
EARLIER_TAKES_ITS_PLACE = "approved in review: an earlier take takes its place"
MADE_BEFORE = "made before: its master is in the store"


@dataclass(frozen=True)
class Known:
    """State that a plan compares the manifest with. Read once, so that a plan is one consistent view."""

    store: Store
    rows: Mapping[tuple[str, int], MasterRow]
    """By asset id and variation."""
    rejected: Set[str] = frozenset()
    """Recipe digests of rejected takes."""
    held: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """Variations that reviewers froze: asset id and variation to the reason in words."""
    chosen: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """The master that was approved last, by asset id and variation."""

    @cached_property
    def assets(self) -> Set[str]:
        """Ids of all assets that the last version has."""
        return {asset for asset, _ in self.rows}

    @cached_property
    def variations(self) -> Mapping[str, Sequence[int]]:
        """Numbers of the variations that the last version has of each asset, by its id."""
        found: dict[str, list[int]] = {}
        for asset, variation in sorted(self.rows):
            found.setdefault(asset, []).append(variation)
        return found

    @cached_property
    def objects(self) -> Set[str]:
        """SHA-256 of every object in the store."""
        return self.store.objects()

    @cached_property
    def takes(self) -> Set[str]:
        """Recipe digests of every take record."""
        return self.store.records("takes")

    @cached_property
    def masters(self) -> Set[str]:
        """Digests of every master record."""
        return self.store.records("masters")

    def take(self, digest: str) -> TakeRecord | None:
        """The record of one take."""
        if digest not in self.takes:
            return None
        return self.store.get_record("takes", digest, TAKE_SCHEMA, TakeRecord)  # type: ignore[return-value]

    def master(self, digest: str) -> MasterRecord | None:
        """The record of one master."""
        if digest not in self.masters:
            return None
        return self.store.get_record("masters", digest, MASTER_SCHEMA, MasterRecord)  # type: ignore[return-value]

    def master_is_whole(self, digest: str) -> bool:
        """Whether a master's record and all its files are in the store."""
        record = self.master(digest)
        return record is not None and all(
            rendition["object"]["sha256"] in self.objects for rendition in record["renditions"]
        )

    def quarantined(self, digest: str) -> str | None:
        """Why a master that was made failed its quality gates; None for one that passed, or is not made."""
        record = self.master(digest)
        if record is None or not record["quality"].get("quarantined"):
            return None
        return str(record["quality"]["reason"])

    def fresh(self) -> Known:
        """The same, with the store read anew."""
        return replace(self)
