"""The store: content-addressed objects and records under one root, on a disk or in an object store."""

from pipeline.store.backend import Backend as Backend
from pipeline.store.backend import Busy as Busy
from pipeline.store.backend import Fence as Fence
from pipeline.store.backend import Missing as Missing
from pipeline.store.disk import translate_os_errors as translate_os_errors
from pipeline.store.formats import NewerFormatError as NewerFormatError
from pipeline.store.formats import check_schema as check_schema
from pipeline.store.formats import dump_record as dump_record
from pipeline.store.formats import fields_fault as fields_fault
from pipeline.store.formats import parse_object as parse_object
from pipeline.store.formats import read_record as read_record
from pipeline.store.formats import shape_fault as shape_fault
from pipeline.store.local import LocalBackend as LocalBackend
from pipeline.store.maintenance import Finding as Finding
from pipeline.store.maintenance import Progress as Progress
from pipeline.store.maintenance import Repair as Repair
from pipeline.store.maintenance import gc as gc
from pipeline.store.maintenance import quarantine as quarantine
from pipeline.store.maintenance import quarantine_key as quarantine_key
from pipeline.store.maintenance import set_aside as set_aside
from pipeline.store.maintenance import verify as verify
from pipeline.store.store import ObjectJson as ObjectJson
from pipeline.store.store import ObjectRef as ObjectRef
from pipeline.store.store import Store as Store
from pipeline.store.store import named_objects as named_objects
