"""One catalog version as a value, and its form on disk.

``catalog/000042/catalog.json`` is one JSON object, laid out so that people and line tools can read it: a header with
the reasons of what changed, then one master a line. Its ``schema`` is ``cuesmith.catalog/2``; ``cuesmith.catalog/1``
is read as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pipeline.errors import FormatError
from pipeline.provenance import MasterRow
from pipeline.store import bring_up, migration

CATALOG_SCHEMA = "cuesmith.catalog/2"
Place = tuple[str, int]
"""Asset id and variation."""
_NOT_COMPARED = ("source",)


@dataclass(frozen=True)
class Version:
    """The immutable record of every master after a build."""

    number: int
    parent: int | None
    project: str
    created: str
    """UTC, ISO 8601."""
    run: str
    manifest: Mapping[str, Any]
    """``file``, ``sha256`` and ``profile`` of the build that published it."""
    masters: tuple[MasterRow, ...] = field(repr=False)
    """Sorted by asset and variation."""

    reasons: Mapping[Place, tuple[str, ...]] | None = field(default=None, repr=False)
    """Why rows differ from those of the version before; None where an older release did not record it."""

    @cached_property
    def by_variation(self) -> Mapping[Place, MasterRow]:
        """Rows by asset id and variation."""
        return {(row["asset"], row["variation"]): row for row in self.masters}

    def same_masters(self, masters: tuple[MasterRow, ...]) -> bool:
        """Whether ``masters`` are what this version has, wherever in a manifest they are written."""
        return len(self.masters) == len(masters) and all(map(_same, self.masters, masters))

    def to_bytes(self) -> bytes:
        """The file's bytes, UTF-8."""
        header: dict[str, Any] = {
            "schema": CATALOG_SCHEMA,
            "version": self.number,
            "parent": self.parent,
            "project": self.project,
            "created": self.created,
            "run": self.run,
            "manifest": dict(self.manifest),
        }
        if self.reasons is not None:
            header["reasons"] = [[*place, list(words)] for place, words in sorted(self.reasons.items())]
        rows = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in self.masters)
        return (json.dumps(header, ensure_ascii=False)[:-1] + ', "masters": [\n' + rows + "\n]}\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, place: str) -> Version:
        """Read `to_bytes`'s form; ``place`` names the file in the `FormatError` that anything else raises."""
        try:
            value = json.loads(data)
        except ValueError as error:
            raise FormatError(f"{place}: not a catalog: {error}; restore it from a backup") from error
        if not isinstance(value, dict):
            raise FormatError(f"{place}: not a catalog: it holds no JSON object; restore it from a backup")
        try:
            value = bring_up(value, CATALOG_SCHEMA, place)
            return cls(
                number=value["version"],
                parent=value["parent"],
                project=value["project"],
                created=value["created"],
                run=value["run"],
                manifest=value["manifest"],
                masters=tuple(value["masters"]),
                reasons=_reasons_of(value),
            )
        except KeyError as error:
            raise FormatError(
                f"{place}: not a catalog: {error} is missing; restore it from a backup"
            ) from error


def _reasons_of(value: dict[str, Any]) -> Mapping[Place, tuple[str, ...]] | None:
    if "reasons" not in value:
        return None
    return {(asset, variation): tuple(words) for asset, variation, words in value["reasons"]}


def _same(one: MasterRow, other: MasterRow) -> bool:
    return one is other or compared(one) == compared(other)


def compared(row: MasterRow) -> dict[str, Any]:
    """What of a row is compared between versions: all but its place in the manifest."""
    return {key: value for key, value in row.items() if key not in _NOT_COMPARED}


@migration("cuesmith.catalog", 1)
def _tell_no_gain_groups(catalog: dict[str, Any]) -> dict[str, Any]:
    """Version 1 did not record whose gain a master has; version 2 added ``gain_group`` and ``waiting``."""
    masters = [{**row, "gain_group": ""} for row in catalog["masters"]]
    return {**catalog, "masters": masters}
