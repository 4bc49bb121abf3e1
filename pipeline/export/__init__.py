"""Exports of the latest version into folders for people and game engines; each target is one `Exporter`."""

from pipeline.export.exporter import (
    ChangedFile,
    Exported,
    Exporter,
    changed_files,
    export_findings,
    export_latest,
    forget_export,
)
from pipeline.export.library import LIBRARY

__all__ = [
    "LIBRARY",
    "ChangedFile",
    "Exported",
    "Exporter",
    "changed_files",
    "export_findings",
    "export_latest",
    "forget_export",
]
