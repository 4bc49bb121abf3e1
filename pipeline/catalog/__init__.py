"""Versions, channels and reviews: the record of every master after each build.

Two modules need pandas and are imported only on demand: `tables` makes the Parquet and CSV files of a version, and
`repair` repairs a damaged store.
"""

from pipeline.catalog.catalog import (
    Catalog,
    approved_objects,
    forget_recorded_files,
    missing_row,
    prunable_versions,
    version_folders,
)
from pipeline.catalog.channels import LATEST, Channel, ChannelMove, Override
from pipeline.catalog.diff import (
    Change,
    asset_history,
    compare_rows,
    diff,
    label_changes,
    rejected_before,
)
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
    reversed_decisions,
    review_state,
    states_of,
    with_deviations,
)
from pipeline.catalog.rows import (
    Failures,
    Renames,
    assemble_rows,
    master_row,
    pending_renames,
    rows_by_current_id,
    with_labels,
)
from pipeline.catalog.signed_rows import SigningState, needs_signature
from pipeline.catalog.version import (
    BuildFacts,
    Place,
    Version,
    read_quarantine,
    update_quarantine,
)

__all__ = [
    "ACTIONS",
    "LATEST",
    "STATES",
    "BuildFacts",
    "Catalog",
    "Change",
    "Channel",
    "ChannelMove",
    "Failures",
    "Filter",
    "Override",
    "Place",
    "Renames",
    "ReviewAction",
    "ReviewEvent",
    "ReviewState",
    "Reviews",
    "SigningState",
    "Version",
    "approved_objects",
    "assemble_rows",
    "asset_history",
    "check_store",
    "compare_rows",
    "diff",
    "forget_recorded_files",
    "is_off_target",
    "label_changes",
    "master_row",
    "missing_row",
    "needs_signature",
    "pending_renames",
    "prunable_versions",
    "read_quarantine",
    "rejected_before",
    "reversed_decisions",
    "review_state",
    "rows_by_current_id",
    "states_of",
    "update_quarantine",
    "version_folders",
    "with_deviations",
    "with_labels",
]
