"""Versions, channels and reviews: the record of every master after each build.

`tables` makes the Parquet and CSV beside a version; it is apart because it needs pandas.
"""

from pipeline.catalog.catalog import Catalog, missing_row
from pipeline.catalog.channels import LATEST, Channel, ChannelMove, Channels, Override
from pipeline.catalog.diff import Change, diff
from pipeline.catalog.gate import CODES, Refusal, refusals
from pipeline.catalog.history import Step, history
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
from pipeline.catalog.reviews import ACTIONS, ReviewAction, ReviewEvent, Reviews, ReviewState, fold
from pipeline.catalog.rows import Failures, assemble, row_of
from pipeline.catalog.sealing import Sealing, SignedFiles, bare, is_open
from pipeline.catalog.standing import STATES, Filter, name_of, states_of
from pipeline.catalog.targets import is_off_target, with_deviations
from pipeline.catalog.version import CATALOG_SCHEMA, Version

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
    "Quarantine",
    "Refusal",
    "ReviewAction",
    "ReviewEvent",
    "ReviewState",
    "Reviews",
    "Sealing",
    "SignedFiles",
    "Step",
    "Verdict",
    "Version",
    "assemble",
    "bare",
    "diff",
    "file_name",
    "fold",
    "forget_library",
    "history",
    "is_off_target",
    "is_open",
    "keep_quarantine",
    "library_faults",
    "library_findings",
    "missing_row",
    "name_of",
    "promote",
    "read_quarantine",
    "refusals",
    "rollback",
    "row_of",
    "states_of",
    "sync_latest",
    "with_deviations",
]
