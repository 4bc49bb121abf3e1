"""``library/latest``: the tree that people open, made of links into the store."""

from __future__ import annotations

import os
import shutil
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

    Files are hard links into the store where the file system has them, copies elsewhere. A tree that already
    shows the version is left alone; one that a kill left half made is completed. Of builds that end together
    each shows what is latest when its turn comes.
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
    return f"{number}\n".encode()


def _sync(store: Store, version: Version, mark: Path) -> None:
    root = mark.parent
    wanted = {path: item for row in version.masters for path, item in row["files"].items()}
    with told("write", str(root)):
        root.mkdir(parents=True, exist_ok=True)
        mark.unlink(missing_ok=True)
        _remove_others(root, set(wanted))
        for path, item in wanted.items():
            _link(store, item, root / path)
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


def _link(store: Store, item: ObjectJson, target: Path) -> None:
    source = store.path(ObjectRef(item["sha256"], item["suffix"], item["size"]))
    if source is None or (target.exists() and os.path.samefile(source, target)):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.new")
    disk.remove(str(fresh))
    try:
        os.link(source, fresh)
    except OSError:
        shutil.copyfile(source, fresh)
    disk.replace(str(fresh), str(target))
