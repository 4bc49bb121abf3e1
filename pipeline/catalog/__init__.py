"""Versions, channels and reviews: the record of every master after each build.

`tables` makes the Parquet and CSV beside a version; it is apart because it needs pandas.
"""

from pipeline.catalog.catalog import Catalog
from pipeline.catalog.library import sync_library
from pipeline.catalog.naming import file_name
from pipeline.catalog.reviews import ReviewEvent, Reviews, ReviewState
from pipeline.catalog.rows import Failures, assemble, row_of
from pipeline.catalog.sealing import Sealing, SignedFiles, bare, is_open
from pipeline.catalog.version import CATALOG_SCHEMA, Version

__all__ = [
    "CATALOG_SCHEMA",
    "Catalog",
    "Failures",
    "ReviewEvent",
    "ReviewState",
    "Reviews",
    "Sealing",
    "SignedFiles",
    "Version",
    "assemble",
    "bare",
    "file_name",
    "is_open",
    "row_of",
    "sync_library",
]
