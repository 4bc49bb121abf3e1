"""The store's only late imports: modules that a local `plan` never needs and should not pay for."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pipeline.store.backend import Fence
    from pipeline.store.remote import FsspecBackend


def hold_file(path: str, timeout: float) -> AbstractContextManager[Fence]:
    """`pipeline.store.locks.hold_file`, which brings filelock."""
    module = import_module("pipeline.store.locks")
    return cast("AbstractContextManager[Fence]", module.hold_file(path, timeout))


def open_remote(url: str) -> FsspecBackend:
    """A `pipeline.store.remote.FsspecBackend`, which brings fsspec."""
    module = import_module("pipeline.store.remote")
    return cast("FsspecBackend", module.FsspecBackend(url))
