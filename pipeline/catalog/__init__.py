"""Versions, channels and reviews: the record of every master after each build.

`tables` makes the Parquet and CSV beside a version, `repair` puts a damaged store right; they are apart because they
need pandas.
"""

from pipeline.catalog.catalog import (
    Catalog,
    approved_objects,
    folders_of,
    forget_files,
    missing_row,
    retirable,
)
from pipeline.catalog.channels import LATEST, Channel, ChannelMove, Channels, Override
from pipeline.catalog.diff import Change, Step, changes, diff, history, label_changes, rejected_before
from pipeline.catalog.integrity import check_store
from pipeline.catalog.reviews import (
    ACTIONS,
    STATES,
    Filter,
    ReviewAction,
    ReviewEvent,
    Reviews,
    ReviewState,
    is_off_target,
    name_of,
    reversed_decisions,
    review_state,
    states_of,
    with_deviations,
)
from pipeline.catalog.rows import (
    Failures,
    Renames,
    assemble,
    file_name,
    followed,
    labelled,
    renamed_in,
    row_of,
)
from pipeline.catalog.sealing import Sealing, SignedFiles, bare, is_open
from pipeline.catalog.version import (
    CATALOG_SCHEMA,
    QUARANTINE_SCHEMA,
    Place,
    Quarantine,
    Version,
    keep_quarantine,
    read_quarantine,
)

__all__ = [
    "ACTIONS",
    "CATALOG_SCHEMA",
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
    "Override",
    "Place",
    "Quarantine",
    "Renames",
    "ReviewAction",
    "ReviewEvent",
    "ReviewState",
    "Reviews",
    "Sealing",
    "SignedFiles",
    "Step",
    "Version",
    "approved_objects",
    "assemble",
    "bare",
    "changes",
    "check_store",
    "diff",
    "file_name",
    "folders_of",
    "followed",
    "forget_files",
    "history",
    "is_off_target",
    "is_open",
    "keep_quarantine",
    "label_changes",
    "labelled",
    "missing_row",
    "name_of",
    "read_quarantine",
    "rejected_before",
    "renamed_in",
    "retirable",
    "reversed_decisions",
    "review_state",
    "row_of",
    "states_of",
    "with_deviations",
]
