"""``library/latest``: the tree that people open, with files of its own: whoever edits one leaves the store whole."""

from __future__ import annotations

import filecmp
import os
from pathlib import Path

from pipeline.catalog.catalog import Catalog
from pipeline.catalog.channels import LATEST
from pipeline.catalog.version import Version
from pipeline.provenance import ObjectJson
from pipeline.store import ObjectRef, Store, disk, told

_MARK = ".version"
_WAIT_SECONDS = 600.0


def sync_latest(catalog: Catalog) -> Path | None:
    """Make ``library/latest`` show the latest version's files; returns the folder, None on an object store.

    Files are reflinks of the store's where the file system has them, copies elsewhere; hard links of older releases
    are replaced. A tree that already shows the version is left alone; one that a kill left half made is completed.
    Of builds that end together each shows what is latest when its turn comes.
    """
    store = catalog.store
    mark = store.backend.local_path(f"library/latest/{_MARK}")
    if mark is None:
        return None
    if not _shows_latest(catalog, mark):
        with store.backend.lock("library", timeout=_WAIT_SECONDS):
            version = catalog.latest()
            if version is None:
                return None
            _sync(store, version, mark)
    return mark.parent


def _shows_latest(catalog: Catalog, mark: Path) -> bool:
    channel = catalog.channel(LATEST)
    return channel is not None and mark.is_file() and mark.read_bytes() == _stamp(channel["version"])


def _stamp(number: int) -> bytes:
    return f"copies of version {number}\n".encode()


def _sync(store: Store, version: Version, mark: Path) -> None:
    root = mark.parent
    wanted = {path: item for row in version.masters for path, item in row["files"].items()}
    with told("write", str(root)):
        root.mkdir(parents=True, exist_ok=True)
        mark.unlink(missing_ok=True)
        _remove_others(root, set(wanted))
        for path, item in wanted.items():
            _place(store, item, root / path)
        mark.write_bytes(_stamp(version.number))


def forget_library(store: Store) -> None:
    """Have the next `sync_latest` look at every file again; for when objects were set aside, and for a rollback."""
    mark = store.backend.local_path(f"library/latest/{_MARK}")
    if mark is not None:
        with told("change", str(mark.parent)):
            mark.unlink(missing_ok=True)


def _remove_others(root: Path, keep: set[str]) -> None:
    for folder, _, names in os.walk(root, topdown=False):
        here = Path(folder)
        for name in names:
            path = here / name
            if path.relative_to(root).as_posix() not in keep:
                disk.remove(str(path))
        if here != root and not any(here.iterdir()):
            here.rmdir()


def _place(store: Store, item: ObjectJson, target: Path) -> None:
    """Have a copy of the object ``item`` at ``target``, in one step."""
    source = store.path(ObjectRef(item["sha256"], item["suffix"], item["size"]))
    if source is None or _is_copy(source, target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.new")
    disk.remove(str(fresh))
    disk.copy_new(str(source), str(fresh))
    disk.replace(str(fresh), str(target))


def _is_copy(source: Path, target: Path) -> bool:
    """Whether ``target`` has the bytes of ``source`` and is another file."""
    try:
        return not os.path.samefile(source, target) and filecmp.cmp(source, target, shallow=False)
    except OSError:
        return False
