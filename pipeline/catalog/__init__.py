"""Versions, channels and reviews: the record of every master after each build.

`tables` makes the Parquet and CSV beside a version; it is apart because it needs pandas.
"""

from pipeline.catalog.catalog import Catalog
from pipeline.catalog.channels import Channel, ChannelMove, Channels, Override
from pipeline.catalog.library import sync_latest
from pipeline.catalog.naming import file_name
from pipeline.catalog.reviews import ReviewEvent, Reviews, ReviewState
from pipeline.catalog.rows import Failures, assemble, row_of
from pipeline.catalog.version import CATALOG_SCHEMA, Version

__all__ = [
    "CATALOG_SCHEMA",
    "Catalog",
    "Channel",
    "ChannelMove",
    "Channels",
    "Failures",
    "Override",
    "ReviewEvent",
    "ReviewState",
    "Reviews",
    "Version",
    "assemble",
    "file_name",
    "row_of",
    "sync_latest",
]
