"""The store: content-addressed objects and records under one root, on a disk or in an object store."""

from pipeline.store.backend import Backend, Busy, Entry, Fence, Missing
from pipeline.store.disk import translate_os_errors
from pipeline.store.formats import (
    NewerFormatError,
    dump_record,
    fields_fault,
    load_record,
    migrate,
    migration,
    parse_object,
    read_record,
    shape_fault,
)
from pipeline.store.local import LocalBackend, check_utf8
from pipeline.store.maintenance import (
    Collected,
    Finding,
    Progress,
    Repair,
    gc,
    quarantine,
    quarantine_key,
    repair,
    set_aside,
    verify,
)
from pipeline.store.store import ObjectJson, ObjectRef, Store, named_objects

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
    "ObjectJson",
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
