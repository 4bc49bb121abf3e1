"""What failed its quality gates and is not published: kept so that it can be heard, whoever cleans up.

``catalog/quarantine.json`` is the state after the last build: one row for each variation whose newest master is
quarantined, like the rows of a version. It lies beside the versions because ``gc`` keeps what the catalog names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from pipeline.catalog.channels import Channels
from pipeline.catalog.version import ManifestJson, Version, rows_fault
from pipeline.errors import VerificationError
from pipeline.provenance import MasterRow
from pipeline.store import Missing, Store, dump_record, read_record

QUARANTINE_SCHEMA = "cuesmith.quarantine/1"
QUARANTINE_KEY = "catalog/quarantine.json"


@dataclass(frozen=True)
class Quarantine:
    """Masters that wait outside the catalog."""

    project: str
    created: str
    """UTC, ISO 8601: the build that changed it last."""
    run: str
    manifest: Mapping[str, Any]
    """``file``, ``sha256`` and ``profile`` of that build."""
    masters: tuple[MasterRow, ...] = field(repr=False)
    """Sorted by asset and variation; ``status`` is ``quarantined`` and ``reason`` says which gates closed."""

    def as_version(self) -> Version:
        """A version 0 without masters, for a project of which nothing has passed yet."""
        return Version(0, None, self.project, self.created, self.run, self.manifest, ())


class _QuarantineJson(TypedDict):
    project: str
    created: str
    run: str
    manifest: ManifestJson
    masters: list[MasterRow]


def read_quarantine(store: Store) -> Quarantine | None:
    """What is quarantined; None before the first build in which something failed its gates.

    Raises `FormatError` and `VerificationError` for what is no quarantine.
    """
    try:
        value = read_record(
            store.backend.read(QUARANTINE_KEY), QUARANTINE_SCHEMA, QUARANTINE_KEY, _QuarantineJson
        )
    except Missing:
        return None
    if (fault := rows_fault(value["masters"])) is not None:
        raise VerificationError(
            f"{QUARANTINE_KEY} is damaged: {fault}; run `cuesmith verify --repair`, then build again"
        )
    return Quarantine(
        value["project"], value["created"], value["run"], value["manifest"], tuple(value["masters"])
    )


def _masters(store: Store) -> tuple[MasterRow, ...]:
    found = read_quarantine(store)
    return found.masters if found else ()


def keep_quarantine(
    store: Store,
    rows: Iterable[MasterRow],
    carry: Callable[[str], bool],
    *,
    project: str,
    created: str,
    run: str,
    manifest: Mapping[str, Any],
) -> bool:
    """Put ``rows`` in place of what is quarantined; ``carry`` tells of an asset that a build leaves alone.

    Returns whether that changed anything; nothing is written where nothing is and was quarantined.
    """
    fresh = tuple(rows)

    def beside(known: tuple[MasterRow, ...]) -> tuple[MasterRow, ...]:
        kept = [row for row in known if carry(row["asset"])]
        return tuple(sorted([*fresh, *kept], key=lambda row: (row["asset"], row["variation"])))

    known = _masters(store)
    if beside(known) == known:
        return False
    with Channels(store).held() as fence:
        masters = beside(_masters(store))
        facts = {"project": project, "created": created, "run": run, "manifest": dict(manifest)}
        record = {"schema": QUARANTINE_SCHEMA, **facts, "masters": list(masters)}
        fence()
        store.backend.write(QUARANTINE_KEY, dump_record(record))
        return True
