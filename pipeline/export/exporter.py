"""Exports: folders that show the delivered files of a version to people and other programs.

An exporter says which files belong into its folder. This module writes them there politely: files are reflinks of the
store's if the file system supports it, and copies otherwise, so editing one never changes the store. The ledger of an
export lists the version and every written file, with its object, size and time. Only files of the ledger are replaced
or removed. Files of other programs stay; one that is in the way of a file of the version is moved aside.

Exports of any version into a game's own folder have stricter rules: see `pipeline.export.run`.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pipeline.catalog import LATEST, Catalog, Version
from pipeline.errors import VerificationError
from pipeline.provenance import ObjectJson
from pipeline.store import Finding, Missing, ObjectRef, Store, disk, read_record, translate_os_errors

_VERSION_FILE = ".version"
_WAIT_SECONDS = 600.0

Stamp = tuple[int, int]
"""Size in bytes and time of modification in nanoseconds."""
ExportedFile = tuple[ObjectJson, Stamp | None]
"""The object, and the stamp of its file; None until the file was checked."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """One export target. Its folders and files are named by their keys in the outputs folder."""

    name: str
    """Names the lock of the export, and the schema of its ledger."""
    folder: str
    """Where the files are written, such as ``library/latest``."""
    ledger: str
    """The file that lists what the last export wrote."""
    replaced: str
    """Where files of other programs are moved if they are in the way."""
    files: Callable[[Version], Mapping[str, ObjectJson]]
    """The files of a version: path below `folder` to object. Generated files are put into the store first."""

    @property
    def schema(self) -> str:
        """Schema of the ledger."""
        return f"cuesmith.{self.name}/1"


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """An exported file that somebody deleted or replaced."""

    folder: str
    """The exporter's folder."""
    path: str
    """Below ``folder``."""
    kind: Literal["deleted", "replaced"]

    def __str__(self) -> str:
        return f"{self.folder}/{self.path} was {self.kind}"


@dataclass(frozen=True, slots=True)
class Exported:
    """The result of an export."""

    folder: Path
    restored: tuple[ChangedFile, ...] = ()
    """Deleted and replaced files that this export restored."""
    moved_aside: Mapping[str, str] = field(default_factory=dict)
    """Files of other programs that were in the way: path to the key where each is now."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"restored": [file.path for file in self.restored], "set_aside": dict(self.moved_aside)}


@dataclass(slots=True)
class _Ledger:
    version: int | None = None
    """None while an export changes the folder."""
    files: dict[str, ExportedFile] = field(default_factory=dict)


def export_latest(catalog: Catalog, exporter: Exporter, *, recheck: bool = False) -> Exported | None:
    """Make the exporter's folder show the latest version; None on an object store, and before the first version.

    Restores deleted and replaced files. ``recheck`` checks every file; without it, a folder that shows the version and
    whose files have their sizes and times is left alone. When builds end at the same time, each exports what is the
    latest version when it gets the lock.
    """
    store = catalog.store
    root = store.backend.local_path(exporter.folder)
    if recheck:
        forget_export(store, exporter)
    if root is None:
        return None
    if _shows_latest(catalog, exporter, root):
        return Exported(root)
    with store.backend.lock(exporter.name, timeout=_WAIT_SECONDS):
        version = catalog.latest()
        return None if version is None else _Export(catalog, exporter, root, version).run()


def forget_export(store: Store, exporter: Exporter) -> None:
    """Have the next `export_latest` check every file, because objects of the store may be missing."""
    root, ledger = store.backend.local_path(exporter.folder), _read(store, exporter)
    if root is not None and root.is_dir():
        with translate_os_errors("change", str(root)):
            disk.remove(str(root / _VERSION_FILE))
    if ledger is not None:
        unchecked: dict[str, ExportedFile] = {path: (item, None) for path, (item, _) in ledger.files.items()}
        _write(store, exporter, _Ledger(None, unchecked))


def changed_files(store: Store, exporter: Exporter) -> list[ChangedFile]:
    """Every exported file that was deleted or replaced since the export, by path.

    A file with its size and time counts as unchanged; `export_findings` hashes it.
    """
    root, ledger = store.backend.local_path(exporter.folder), _read(store, exporter)
    if root is None or ledger is None or ledger.version is None:
        return []
    return list(_changed_files(exporter, root, ledger, thorough=False))


def export_findings(catalog: Catalog, exporter: Exporter) -> list[Finding]:
    """The findings of `verify` in an export: each file of the latest version that is missing or changed.

    Hashes every file.
    """
    store = catalog.store
    root = store.backend.local_path(exporter.folder)
    if root is None:
        return []
    ledger = _read(store, exporter)
    words: Mapping[str, tuple[Literal["missing", "damaged"], str]] = {
        "deleted": ("missing", "it was deleted; cuesmith build restores it"),
        "replaced": ("damaged", "it is not the published file; cuesmith build restores it"),
    }
    if ledger is None or ledger.version is None:
        return []
    return [
        Finding(words[file.kind][0], f"{file.folder}/{file.path}", words[file.kind][1])
        for file in _changed_files(exporter, root, ledger, thorough=True)
    ]


def _changed_files(
    exporter: Exporter, root: Path, ledger: _Ledger, *, thorough: bool
) -> Iterator[ChangedFile]:
    for path, (item, stamp) in sorted(ledger.files.items()):
        file = root / path
        current = stamp_of(file)
        if current is None:
            yield ChangedFile(exporter.folder, path, "replaced" if os.path.lexists(file) else "deleted")
            continue
        if (thorough or current != stamp) and not _has_bytes_of(file, item):
            yield ChangedFile(exporter.folder, path, "replaced")


def _shows_latest(catalog: Catalog, exporter: Exporter, root: Path) -> bool:
    channel, ledger = catalog.channel(LATEST), _read(catalog.store, exporter)
    if channel is None or ledger is None or ledger.version != channel["version"]:
        return False
    with suppress(OSError):
        if (root / _VERSION_FILE).read_bytes() == _version_text(channel["version"]):
            return all(stamp and stamp_of(root / path) == stamp for path, (_, stamp) in ledger.files.items())
    return False


class _Export:
    """One change of an export, under its lock.

    Meanwhile the ledger has no version, and lists both the old and the new files: after a kill at any moment it
    knows every file of ours.
    """

    def __init__(self, catalog: Catalog, exporter: Exporter, root: Path, version: Version) -> None:
        self._store, self._exporter, self._root, self._version = catalog.store, exporter, root, version
        self._new = exporter.files(version)
        ledger = _read(self._store, exporter)
        self._ours = ledger.files if ledger else {}
        self._changed: list[ChangedFile] = []
        if ledger is not None and ledger.version is not None:
            self._changed += _changed_files(exporter, root, ledger, thorough=False)
        self._not_restorable: set[str] = set()
        self._moved_aside: dict[str, str] = {}

    def run(self) -> Exported:
        """Remove files of earlier versions, and write what is missing."""
        planned = {path: (item, None) for path, item in self._new.items()}
        _write(self._store, self._exporter, _Ledger(None, {**planned, **self._ours}))
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
        _write(self._store, self._exporter, _Ledger(self._version.number, files))
        restorable = self._new.keys() - self._not_restorable
        restored = tuple(file for file in self._changed if file.path in restorable)
        return Exported(self._root, restored, self._moved_aside)

    def _remove(self, path: str) -> None:
        """Remove a file of ours, its temporary file that a kill left, and the folders that become empty."""
        file = self._root / path
        if any(folder.is_symlink() for folder in self._folders(path)):
            return
        disk.remove(str(file.with_name(f".{file.name}.new")))
        if stamp_of(file) is not None and not self._is_foreign(file, path, self._ours[path][0]):
            disk.remove(str(file))
        for folder in reversed(self._folders(path)):
            try:
                folder.rmdir()
            except OSError:
                return

    def _place(self, path: str, item: ObjectJson) -> None:
        """Write ``item`` to ``path``; files of others there, or in place of its folder, are moved aside."""
        file = self._root / path
        before, stamp = self._ours.get(path, (None, None))
        current = stamp_of(file)
        if current is not None:
            if (before == item and current == stamp) or _has_bytes_of(file, item):
                return
            if before == item and not self._can_restore(item):
                self._not_restorable.add(path)
                return
        for folder in self._folders(path):
            if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
                self._move_aside(folder.relative_to(self._root).as_posix())
        if os.path.lexists(file) and self._is_foreign(file, path, item):
            self._move_aside(path)
        _copy(self._store, item, file)

    def _folders(self, path: str) -> list[Path]:
        """The folders between the export's folder and the file ``path``, outermost first."""
        return [self._root / folder for folder in reversed(PurePosixPath(path).parents[:-1])]

    def _is_foreign(self, file: Path, path: str, item: ObjectJson) -> bool:
        """Whether data is lost if ``file`` is removed: we did not write it, and the store does not have its bytes."""
        current = stamp_of(file)
        if current is None:
            return True
        if path in self._ours and current == self._ours[path][1]:
            return False
        return not self._store.has(ObjectRef(sha256_of(file), item["suffix"], current[0]))

    def _can_restore(self, item: ObjectJson) -> bool:
        source = self._store.path(ObjectRef.from_json(item))
        return source is not None and source.is_file() and _has_bytes_of(source, item)

    def _move_aside(self, path: str) -> None:
        """Move what is at ``path`` to the same path below the folder for replaced files, or below a number there."""
        key, number = f"{self._exporter.replaced}/{path}", 1
        outputs = self._root.parents[self._exporter.folder.count("/")]
        while not _is_free(target := outputs / key):
            number += 1
            key = f"{self._exporter.replaced}/{number}/{path}"
        disk.patiently(lambda: os.rename(self._root / path, target))
        self._moved_aside[path] = key


def _is_free(target: Path) -> bool:
    """Whether nothing is at ``target``; makes its folder."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False
    return not os.path.lexists(target)


def stays_inside(path: str) -> bool:
    """Whether ``path`` of a ledger leads to a file below its folder."""
    parts = PurePosixPath(path).parts
    return bool(parts) and ".." not in parts and not path.startswith("/") and "\\" not in path


def _version_text(number: int) -> bytes:
    return f"{number}\n".encode()


def stamp_of(file: Path) -> Stamp | None:
    """The stamp of a regular file; None for anything else, and if there is nothing."""
    try:
        status = os.lstat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def _has_bytes_of(file: Path, item: ObjectJson) -> bool:
    """Whether ``file`` has the bytes of ``item``."""
    return os.path.getsize(file) == item["size"] and sha256_of(file) == item["sha256"]


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with translate_os_errors("read", str(file)), file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _read(store: Store, exporter: Exporter) -> _Ledger | None:
    """The ledger; None if it is missing or damaged."""
    try:
        value = read_record(store.backend.read(exporter.ledger), exporter.schema, exporter.ledger)
        files = {
            path: (ObjectJson(sha256=sha256, suffix=suffix, size=size), (size, time) if time else None)
            for path, (sha256, suffix, size, time) in value["files"].items()
            if stays_inside(path)
        }
        return _Ledger(value["version"], files)
    except (Missing, VerificationError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _write(store: Store, exporter: Exporter, ledger: _Ledger) -> None:
    files = {
        path: [item["sha256"], item["suffix"], item["size"], stamp[1] if stamp else None]
        for path, (item, stamp) in ledger.files.items()
    }
    record = {"schema": exporter.schema, "version": ledger.version, "files": files}
    store.backend.write(
        exporter.ledger, json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    )


def _copy(store: Store, item: ObjectJson, target: Path) -> None:
    """Copy the object ``item`` to ``target`` in one step; no link, so editing it never changes the store."""
    source = store.path(ObjectRef.from_json(item))
    if source is None:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.new")
    disk.remove(str(fresh))
    disk.copy_new(str(source), str(fresh))
    disk.replace(str(fresh), str(target))
