"""The library, and exports of any version into game projects (`pipeline.export.run`)."""

from pipeline.export.exporter import ChangedFile as ChangedFile
from pipeline.export.exporter import Exported as Exported
from pipeline.export.exporter import Exporter as Exporter
from pipeline.export.exporter import changed_files as changed_files
from pipeline.export.exporter import export_findings as export_findings
from pipeline.export.exporter import export_latest as export_latest
from pipeline.export.exporter import forget_export as forget_export
from pipeline.export.library import LIBRARY as LIBRARY
