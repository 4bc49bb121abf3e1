"""Versions, channels and reviews: the record of every master after each build.

`tables` makes the Parquet and CSV beside a version, `repair` puts a damaged store right; they are apart because they
need pandas.
"""

from pipeline.catalog.catalog import Catalog, missing_row
from pipeline.catalog.channels import LATEST, Channel, ChannelMove, Channels, Override
from pipeline.catalog.check import check_store
from pipeline.catalog.diff import Change, changes, diff, label_changes
from pipeline.catalog.gate import CODES, Refusal, refusals
from pipeline.catalog.history import Step, history, rejected_before
from pipeline.catalog.library import (
    Library,
    LibraryFault,
    forget_library,
    library_faults,
    library_findings,
    sync_latest,
)
from pipeline.catalog.naming import file_name
from pipeline.catalog.promotion import Verdict, promote, rollback
from pipeline.catalog.quarantine import QUARANTINE_SCHEMA, Quarantine, keep_quarantine, read_quarantine
from pipeline.catalog.renaming import Renames, followed, renamed_in
from pipeline.catalog.retiring import approved_objects, folders_of, forget_files, retirable
from pipeline.catalog.reviews import ACTIONS, ReviewAction, ReviewEvent, Reviews, ReviewState, fold, overruled
from pipeline.catalog.rows import Failures, assemble, labelled, row_of
from pipeline.catalog.sealing import Sealing, SignedFiles, bare, is_open
from pipeline.catalog.standing import STATES, Filter, name_of, states_of
from pipeline.catalog.targets import is_off_target, with_deviations
from pipeline.catalog.version import CATALOG_SCHEMA, Place, Version

__all__ = [
    "ACTIONS",
    "CATALOG_SCHEMA",
    "CODES",
    "LATEST",
    "QUARANTINE_SCHEMA",
    "STATES",
    "Catalog",
    "Change",
    "Channel",
    "ChannelMove",
    "Channels",
    "Failures",
    "Filter",
    "Library",
    "LibraryFault",
    "Override",
    "Place",
    "Quarantine",
    "Refusal",
    "Renames",
    "ReviewAction",
    "ReviewEvent",
    "ReviewState",
    "Reviews",
    "Sealing",
    "SignedFiles",
    "Step",
    "Verdict",
    "Version",
    "approved_objects",
    "assemble",
    "bare",
    "changes",
    "check_store",
    "diff",
    "file_name",
    "fold",
    "folders_of",
    "followed",
    "forget_files",
    "forget_library",
    "history",
    "is_off_target",
    "is_open",
    "keep_quarantine",
    "label_changes",
    "labelled",
    "library_faults",
    "library_findings",
    "missing_row",
    "name_of",
    "overruled",
    "promote",
    "read_quarantine",
    "refusals",
    "rejected_before",
    "renamed_in",
    "retirable",
    "rollback",
    "row_of",
    "states_of",
    "sync_latest",
    "with_deviations",
]
