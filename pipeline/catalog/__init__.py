"""Versions, channels and reviews: the record of every master after each build.

Two modules need pandas and are imported only on demand: `tables` makes the Parquet and CSV files of a version, and
`repair` repairs a damaged store.
"""

from pipeline.catalog.catalog import Catalog as Catalog
from pipeline.catalog.catalog import approved_objects as approved_objects
from pipeline.catalog.catalog import copies_of as copies_of
from pipeline.catalog.catalog import forget_recorded_files as forget_recorded_files
from pipeline.catalog.catalog import missing_row as missing_row
from pipeline.catalog.catalog import prunable_versions as prunable_versions
from pipeline.catalog.catalog import version_folders as version_folders
from pipeline.catalog.channels import LATEST as LATEST
from pipeline.catalog.channels import Channel as Channel
from pipeline.catalog.channels import ChannelMove as ChannelMove
from pipeline.catalog.channels import Override as Override
from pipeline.catalog.diff import Change as Change
from pipeline.catalog.diff import asset_history as asset_history
from pipeline.catalog.diff import compare_rows as compare_rows
from pipeline.catalog.diff import diff as diff
from pipeline.catalog.diff import label_changes as label_changes
from pipeline.catalog.diff import reviews_before as reviews_before
from pipeline.catalog.integrity import check_store as check_store
from pipeline.catalog.reviews import ACTIONS as ACTIONS
from pipeline.catalog.reviews import REMEDIES as REMEDIES
from pipeline.catalog.reviews import STATES as STATES
from pipeline.catalog.reviews import Filter as Filter
from pipeline.catalog.reviews import ReviewAction as ReviewAction
from pipeline.catalog.reviews import ReviewEvent as ReviewEvent
from pipeline.catalog.reviews import Reviews as Reviews
from pipeline.catalog.reviews import ReviewState as ReviewState
from pipeline.catalog.reviews import Tally as Tally
from pipeline.catalog.reviews import is_off_target as is_off_target
from pipeline.catalog.reviews import lost_marks as lost_marks
from pipeline.catalog.reviews import mark_remedy as mark_remedy
from pipeline.catalog.reviews import missed_in as missed_in
from pipeline.catalog.reviews import named as named
from pipeline.catalog.reviews import new_events as new_events
from pipeline.catalog.reviews import reversed_decisions as reversed_decisions
from pipeline.catalog.reviews import review_state as review_state
from pipeline.catalog.reviews import states_of as states_of
from pipeline.catalog.reviews import subject_of as subject_of
from pipeline.catalog.rows import Failures as Failures
from pipeline.catalog.rows import Renames as Renames
from pipeline.catalog.rows import assemble_rows as assemble_rows
from pipeline.catalog.rows import master_row as master_row
from pipeline.catalog.rows import pending_renames as pending_renames
from pipeline.catalog.rows import rows_by_current_id as rows_by_current_id
from pipeline.catalog.rows import with_labels as with_labels
from pipeline.catalog.signed_rows import SigningState as SigningState
from pipeline.catalog.signed_rows import needs_signature as needs_signature
from pipeline.catalog.version import BuildFacts as BuildFacts
from pipeline.catalog.version import Place as Place
from pipeline.catalog.version import ReleaseRules as ReleaseRules
from pipeline.catalog.version import Version as Version
from pipeline.catalog.version import quarantined_masters as quarantined_masters
from pipeline.catalog.version import read_quarantine as read_quarantine
from pipeline.catalog.version import update_quarantine as update_quarantine
