"""One catalog version as a value, and its form on disk.

``catalog/000042/catalog.json`` is one JSON object, laid out so that people and line tools can read it: a header,
then one master a line. Its ``schema`` is ``cuesmith.catalog/2``; ``cuesmith.catalog/1`` is read as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pipeline.errors import FormatError
from pipeline.provenance import MasterRow, MissingRow
from pipeline.store import bring_up, migration

CATALOG_SCHEMA = "cuesmith.catalog/2"
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
    missing: tuple[MissingRow, ...] = field(default=(), repr=False)
    """What the manifest asked for and has no master, sorted likewise."""
    promotion: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Channel to the reasons of the release gate that it allows, as the manifest says."""
    partial: bool = False
    """Whether an older release wrote it, so that ``missing`` has only what failed in the build that published it."""

    @cached_property
    def by_variation(self) -> Mapping[tuple[str, int], MasterRow]:
        """Rows by asset id and variation."""
        return {(row["asset"], row["variation"]): row for row in self.masters}

    def same_masters(self, masters: tuple[MasterRow, ...]) -> bool:
        """Whether ``masters`` are what this version has, wherever in a manifest they are written."""
        return len(self.masters) == len(masters) and all(map(_same, self.masters, masters))

    def same(
        self,
        masters: tuple[MasterRow, ...],
        missing: tuple[MissingRow, ...],
        promotion: Mapping[str, Sequence[str]],
    ) -> bool:
        """Whether this version has these ``masters``, lacks what is ``missing`` and has these rules, nothing else."""
        if not self.same_masters(masters) or self.promotion != promotion:
            return False
        known, found = set(map(_gap, self.missing)), set(map(_gap, missing))
        return {gap for gap in found if gap[2] != "missing"} <= known if self.partial else found == known

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
        if not self.partial:
            header["missing"] = list(self.missing)
        if self.promotion:
            header["promotion"] = {channel: list(allowed) for channel, allowed in self.promotion.items()}
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
                missing=tuple(value.get("missing", ())),
                promotion=value.get("promotion", {}),
                partial="missing" not in value,
            )
        except KeyError as error:
            raise FormatError(
                f"{place}: not a catalog: {error} is missing; restore it from a backup"
            ) from error


def _same(one: MasterRow, other: MasterRow) -> bool:
    return one is other or _compared(one) == _compared(other)


def _compared(row: MasterRow) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in _NOT_COMPARED}


def _gap(row: MissingRow) -> tuple[str, int, str, str]:
    return row["asset"], row["variation"], row["code"], row.get("master", "")


@migration("cuesmith.catalog", 1)
def _tell_no_gain_groups(catalog: dict[str, Any]) -> dict[str, Any]:
    """Version 1 did not record whose gain a master has; version 2 added ``gain_group`` and ``waiting``."""
    masters = [{**row, "gain_group": ""} for row in catalog["masters"]]
    return {**catalog, "masters": masters}
