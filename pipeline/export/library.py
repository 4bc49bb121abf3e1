"""The library, the first exporter: ``library/latest``, the tree that people and game engines open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.catalog import Version
from pipeline.provenance import ObjectJson


@dataclass(frozen=True, slots=True)
class LibraryExporter:
    """Every delivered file of a version, under the name that the manifest gives it."""

    name: str = "library"
    schema: str = "cuesmith.library/1"
    folder: str = "library/latest"
    ledger: str = "library/latest.json"
    replaced: str = "library/replaced"

    def files(self, version: Version) -> Mapping[str, ObjectJson]:
        """The files of all masters."""
        return {path: item for row in version.masters for path, item in row["files"].items()}


LIBRARY = LibraryExporter()
