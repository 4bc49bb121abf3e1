"""The store: content-addressed objects and records under one root, on a disk or in an object store."""

from pipeline.store.backend import Backend, Busy, Entry, Fence, Missing
from pipeline.store.collect import Collected, gc
from pipeline.store.faults import told
from pipeline.store.formats import bring_up, dump_record, load_record, migration, read_record
from pipeline.store.local import LocalBackend
from pipeline.store.objects import ObjectRef, named_objects
from pipeline.store.opening import check_utf8
from pipeline.store.store import Store
from pipeline.store.verify import Finding, Repair, repair, verify

__all__ = [
    "Backend",
    "Busy",
    "Collected",
    "Entry",
    "Fence",
    "Finding",
    "LocalBackend",
    "Missing",
    "ObjectRef",
    "Repair",
    "Store",
    "bring_up",
    "check_utf8",
    "dump_record",
    "gc",
    "load_record",
    "migration",
    "named_objects",
    "read_record",
    "repair",
    "told",
    "verify",
]
