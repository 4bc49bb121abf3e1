"""The library: ``library/latest``, the tree of delivered files that people and other programs open.

Its files are reflinks of the store's if the file system supports it, and copies otherwise, so editing one never changes
the store. The ledger lists the version and every written file, with its object, size and time. Only files of the ledger
are replaced or removed. Files of other programs stay; one that is in the way of a file of the version is moved aside.

Exports of any version into a game's own folder have stricter rules: see `pipeline.export.run`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline.catalog import LATEST, Catalog, Version
from pipeline.errors import VerificationError
from pipeline.export.files import (
    Stamp,
    folders_between,
    remove_file,
    replaced,
    sha256_of,
    stamp_of,
    stays_inside,
)
from pipeline.provenance import ObjectJson
from pipeline.store import Finding, Missing, ObjectRef, Store, disk, read_record, translate_os_errors

FOLDER = "library/latest"
_LEDGER = "library/latest.json"
_REPLACED = "library/replaced"
"""Where files of other programs are moved if they are in the way."""
_SCHEMA = "cuesmith.library/1"
_VERSION_FILE = ".version"
_WAIT_SECONDS = 600.0

ExportedFile = tuple[ObjectJson, Stamp | None]
"""The object, and the stamp of its file; None until the file was checked."""
Change = Literal["deleted", "replaced"]
"""What somebody did to an exported file."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of an export. Paths are below the library's folder."""

    restored: tuple[str, ...] = ()
    """Deleted and replaced files that this export restored."""
    moved_aside: Mapping[str, str] = field(default_factory=dict)
    """Files of other programs that were in the way: path to the key where each is now."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"restored": list(self.restored), "set_aside": dict(self.moved_aside)}


@dataclass(slots=True)
class _Ledger:
    version: int | None = None
    """None while an export changes the folder."""
    files: dict[str, ExportedFile] = field(default_factory=dict)


def export_latest(catalog: Catalog, *, recheck: bool = False) -> Exported | None:
    """Make the library show the latest version; None on an object store, and before the first version.

    Restores deleted and replaced files. ``recheck`` checks every file; without it, a folder that shows the version and
    whose files have their sizes and times is left alone. When builds end at the same time, each exports what is the
    latest version when it gets the lock.
    """
    store = catalog.store
    root = store.backend.local_path(FOLDER)
    if recheck:
        forget_export(store)
    if root is None:
        return None
    if _shows_latest(catalog, root):
        return Exported()
    with store.backend.lock("library", timeout=_WAIT_SECONDS):
        version = catalog.latest()
        return None if version is None else _Export(store, root, version).run()


def forget_export(store: Store) -> None:
    """Have the next `export_latest` check every file, because objects of the store may be missing."""
    root, ledger = _opened(store)
    if root is not None and root.is_dir():
        with translate_os_errors("change", str(root)):
            disk.remove(str(root / _VERSION_FILE))
    if ledger is not None:
        unchecked: dict[str, ExportedFile] = {path: (item, None) for path, (item, _) in ledger.files.items()}
        _write(store, _Ledger(None, unchecked))


def changed_files(store: Store) -> list[str]:
    """A sentence for every exported file that was deleted or replaced since the export, by path.

    A file with its size and time counts as unchanged; `export_findings` hashes it.
    """
    return [f"{FOLDER}/{path} was {change}" for path, change in _changes(*_opened(store), thorough=False)]


def export_findings(store: Store) -> list[Finding]:
    """The findings of `verify` in the library: each file of the latest version that is missing or changed.

    Hashes every file.
    """
    words: Mapping[Change, tuple[Literal["missing", "damaged"], str]] = {
        "deleted": ("missing", "it was deleted; cuesmith build restores it"),
        "replaced": ("damaged", "it is not the published file; cuesmith build restores it"),
    }
    return [
        Finding(words[change][0], f"{FOLDER}/{path}", words[change][1])
        for path, change in _changes(*_opened(store), thorough=True)
    ]


def _changes(root: Path | None, ledger: _Ledger | None, *, thorough: bool) -> Iterator[tuple[str, Change]]:
    """The path of every changed file, and what was done to it; ``thorough`` hashes files with their size and time."""
    if root is None or ledger is None or ledger.version is None:
        return
    for path, (item, stamp) in sorted(ledger.files.items()):
        file = root / path
        current = stamp_of(file)
        if current is None:
            yield path, "replaced" if os.path.lexists(file) else "deleted"
        elif (thorough or current != stamp) and not _has_bytes_of(file, item):
            yield path, "replaced"


def _shows_latest(catalog: Catalog, root: Path) -> bool:
    channel, ledger = catalog.channel(LATEST), _read(catalog.store)
    if channel is None or ledger is None or ledger.version != channel["version"]:
        return False
    with suppress(OSError):
        if (root / _VERSION_FILE).read_bytes() == _version_text(channel["version"]):
            return all(stamp and stamp_of(root / path) == stamp for path, (_, stamp) in ledger.files.items())
    return False


class _Export:
    """One change of the library, under its lock.

    Meanwhile the ledger has no version, and lists both the old and the new files: after a kill at any moment it
    knows every file of ours.
    """

    def __init__(self, store: Store, root: Path, version: Version) -> None:
        self._store, self._root, self._version = store, root, version
        self._outputs = root.parents[FOLDER.count("/")]
        self._new = {path: item for row in version.masters for path, item in row["files"].items()}
        self._ledger = _read(store)
        self._ours = self._ledger.files if self._ledger else {}
        self._not_restorable: set[str] = set()
        self._moved_aside: dict[str, str] = {}

    def run(self) -> Exported:
        """Remove files of earlier versions, and write what is missing."""
        changed = [path for path, _ in _changes(self._root, self._ledger, thorough=False)]
        planned = {path: (item, None) for path, item in self._new.items()}
        _write(self._store, _Ledger(None, {**planned, **self._ours}))
        with translate_os_errors("write", str(self._root)):
            self._root.mkdir(parents=True, exist_ok=True)
            disk.remove(str(self._root / _VERSION_FILE))
            for path in sorted(self._ours.keys() - self._new.keys()):
                self._remove(path)
            for path, item in self._new.items():
                self._place(path, item)
            files = {
                path: (item, None if path in self._not_restorable else stamp_of(self._root / path))
                for path, item in self._new.items()
            }
            (self._root / _VERSION_FILE).write_bytes(_version_text(self._version.number))
        _write(self._store, _Ledger(self._version.number, files))
        restorable = self._new.keys() - self._not_restorable
        return Exported(tuple(path for path in changed if path in restorable), self._moved_aside)

    def _remove(self, path: str) -> None:
        """Remove a file of ours, unless it has become somebody else's."""
        suffix = self._ours[path][0]["suffix"]
        remove_file(self._root, path, lambda stamp: self._is_ours(path, suffix, stamp))

    def _place(self, path: str, item: ObjectJson) -> None:
        """Write ``item`` to ``path``; files of others there, or in place of its folder, are moved aside."""
        file = self._root / path
        source = self._outputs / ObjectRef.from_json(item).key
        before, stamp = self._ours.get(path, (None, None))
        current = stamp_of(file)
        if current is not None:
            if (before == item and current == stamp) or _has_bytes_of(file, item):
                return
            if before == item and not (source.is_file() and _has_bytes_of(source, item)):
                self._not_restorable.add(path)
                return
        for folder in folders_between(self._root, path):
            if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
                self._move_aside(folder.relative_to(self._root).as_posix())
        if os.path.lexists(file) and not (current and self._is_ours(path, item["suffix"], current)):
            self._move_aside(path)
        # A copy and no link, so editing it never changes the store.
        with replaced(file) as fresh:
            disk.copy_new(str(source), fresh)

    def _is_ours(self, path: str, suffix: str, stamp: Stamp) -> bool:
        """Whether no data is lost if the file at ``path`` is removed: we wrote it, or the store has its bytes."""
        if path in self._ours and stamp == self._ours[path][1]:
            return True
        return self._store.has(ObjectRef(sha256_of(self._root / path), suffix, stamp[0]))

    def _move_aside(self, path: str) -> None:
        """Move what is at ``path`` to the same path below the folder for replaced files, or below a number there."""
        key, number = f"{_REPLACED}/{path}", 1
        while not _is_free(target := self._outputs / key):
            number += 1
            key = f"{_REPLACED}/{number}/{path}"
        disk.patiently(lambda: os.rename(self._root / path, target))
        self._moved_aside[path] = key


def _is_free(target: Path) -> bool:
    """Whether nothing is at ``target``; makes its folder."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False
    return not os.path.lexists(target)


def _opened(store: Store) -> tuple[Path | None, _Ledger | None]:
    """The library's folder, None on an object store, and its ledger."""
    return store.backend.local_path(FOLDER), _read(store)


def _version_text(number: int) -> bytes:
    return f"{number}\n".encode()


def _has_bytes_of(file: Path, item: ObjectJson) -> bool:
    """Whether ``file`` has the bytes of ``item``."""
    return os.path.getsize(file) == item["size"] and sha256_of(file) == item["sha256"]


def _read(store: Store) -> _Ledger | None:
    """The ledger; None if it is missing or damaged."""
    try:
        value = read_record(store.backend.read(_LEDGER), _SCHEMA, _LEDGER)
        files = {
            path: (ObjectJson(sha256=sha256, suffix=suffix, size=size), (size, time) if time else None)
            for path, (sha256, suffix, size, time) in value["files"].items()
            if stays_inside(path)
        }
        return _Ledger(value["version"], files)
    except (Missing, VerificationError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _write(store: Store, ledger: _Ledger) -> None:
    files = {
        path: [item["sha256"], item["suffix"], item["size"], stamp[1] if stamp else None]
        for path, (item, stamp) in ledger.files.items()
    }
    record = {"schema": _SCHEMA, "version": ledger.version, "files": files}
    store.backend.write(
        _LEDGER, json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    )
