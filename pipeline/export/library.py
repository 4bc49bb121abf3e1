"""The library, the first exporter: ``library/latest``, the tree that people and game engines open."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.catalog import Version
from pipeline.export.exporter import Exporter
from pipeline.provenance import ObjectJson


def _delivered_files(version: Version) -> Mapping[str, ObjectJson]:
    """Every delivered file of a version, under the name that the manifest gives it."""
    return {path: item for row in version.masters for path, item in row["files"].items()}


LIBRARY = Exporter(
    name="library",
    folder="library/latest",
    ledger="library/latest.json",
    replaced="library/replaced",
    files=_delivered_files,
)
