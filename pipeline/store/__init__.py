"""The store: content-addressed objects and records under one root, on a disk or in an object store."""

from pipeline.store.backend import Backend, Busy, Entry, Fence, Missing
from pipeline.store.collect import Collected, gc
from pipeline.store.formats import (
    NewerFormatError,
    dump_record,
    load_record,
    migrate,
    migration,
    parse_object,
    read_record,
)
from pipeline.store.local import LocalBackend
from pipeline.store.objects import ObjectRef, named_objects
from pipeline.store.opening import check_utf8
from pipeline.store.os_errors import translate_os_errors
from pipeline.store.shapes import fields_fault, shape_fault
from pipeline.store.store import Store
from pipeline.store.verify import (
    Finding,
    Progress,
    Repair,
    quarantine,
    quarantine_key,
    repair,
    set_aside,
    verify,
)

__all__ = [
    "Backend",
    "Busy",
    "Collected",
    "Entry",
    "Fence",
    "Finding",
    "LocalBackend",
    "Missing",
    "NewerFormatError",
    "ObjectRef",
    "Progress",
    "Repair",
    "Store",
    "check_utf8",
    "dump_record",
    "fields_fault",
    "gc",
    "load_record",
    "migrate",
    "migration",
    "named_objects",
    "parse_object",
    "quarantine",
    "quarantine_key",
    "read_record",
    "repair",
    "set_aside",
    "shape_fault",
    "translate_os_errors",
    "verify",
]
