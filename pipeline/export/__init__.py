"""The library, and exports of any version into game projects (`pipeline.export.run`)."""

from pipeline.export.library import Exported as Exported
from pipeline.export.library import changed_files as changed_files
from pipeline.export.library import export_findings as export_findings
from pipeline.export.library import export_latest as export_latest
from pipeline.export.library import forget_export as forget_export
