"""``library/latest``: the tree that people and game engines open, with files of its own.

Files are reflinks of the store's where the file system has them, copies elsewhere, so an edit of one leaves the store
whole; hard links of older releases are replaced.

``library/latest.json`` is the ledger of it: the version that it shows, and every file that was written there, with
its object and its size and time. Only what the ledger names is replaced or removed. Files of others stay; one that
stands where a file of the version belongs is moved to ``library/replaced``.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pipeline.catalog.catalog import Catalog
from pipeline.catalog.channels import LATEST
from pipeline.catalog.version import Version
from pipeline.errors import FormatError, VerificationError
from pipeline.provenance import ObjectJson
from pipeline.store import Finding, Missing, ObjectRef, Store, disk, read_record, translate_os_errors

LIBRARY_SCHEMA = "cuesmith.library/1"
_LEDGER = "library/latest.json"
_ROOT = "library/latest"
_REPLACED = "library/replaced"
_MARK = ".version"
_WAIT_SECONDS = 600.0

Stamp = tuple[int, int]
"""Size in bytes and time of modification in nanoseconds."""


@dataclass(frozen=True, slots=True)
class LibraryFault:
    """A file of the library that is not as it was written."""

    path: str
    """Below ``library/latest``."""
    kind: Literal["deleted", "replaced"]

    def __str__(self) -> str:
        return f"{_ROOT}/{self.path} was {self.kind}"


@dataclass(frozen=True, slots=True)
class Library:
    """The library after `sync_latest`."""

    folder: Path
    restored: tuple[LibraryFault, ...] = ()
    """What was deleted or replaced since it was written, and is there again."""
    set_aside: Mapping[str, str] = field(default_factory=dict)
    """Each file of somebody else that stood where a file of the version belongs, to the key where it is now."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"restored": [fault.path for fault in self.restored], "set_aside": dict(self.set_aside)}


@dataclass(slots=True)
class _Ledger:
    version: int | None = None
    """None while the folder is being changed: then nothing is known to be complete."""
    files: dict[str, tuple[ObjectJson, Stamp | None]] = field(default_factory=dict)
    """Path to object; the stamp is None until the file was looked at."""


def sync_latest(catalog: Catalog) -> Library | None:
    """Make ``library/latest`` show the latest version's files; None on an object store, and before any version.

    A folder that shows the version already, with every file as it was written, is left alone; deleted and replaced
    files are restored. Of builds that end together each shows what is latest when its turn comes.
    """
    store = catalog.store
    root = store.backend.local_path(_ROOT)
    if root is None:
        return None
    if _shows_latest(catalog, root):
        return Library(root)
    with store.backend.lock("library", timeout=_WAIT_SECONDS):
        version = catalog.latest()
        return None if version is None else _Sync(catalog, root, version).run()


def forget_library(store: Store) -> None:
    """Have the next `sync_latest` look at every file again; for when objects were set aside, and for a rollback."""
    root, ledger = store.backend.local_path(_ROOT), _read(store)
    if root is not None and root.is_dir():
        with translate_os_errors("change", str(root)):
            disk.remove(str(root / _MARK))
    if ledger is not None:
        _write(store, _Ledger(None, {path: (item, None) for path, (item, _) in ledger.files.items()}))


def library_faults(store: Store) -> list[LibraryFault]:
    """Every file of the library that was deleted or replaced since it was written, by path.

    A file of the size and time that it was written with is taken for whole; `library_findings` hashes it.
    """
    root, ledger = store.backend.local_path(_ROOT), _read(store)
    if root is None or ledger is None or ledger.version is None:
        return []
    return list(_faults(store, root, ledger, thorough=False))


def library_findings(catalog: Catalog) -> list[Finding]:
    """What `verify` says of the library: each file that the latest version wrote there and that is not there whole.

    Hashes every file that is no link into the store.
    """
    store = catalog.store
    root = store.backend.local_path(_ROOT)
    if root is None:
        return []
    ledger = _read(store) or _before_ledgers(catalog, root)
    words: Mapping[str, tuple[Literal["missing", "damaged"], str]] = {
        "deleted": ("missing", "it was deleted from the library; cuesmith build restores it"),
        "replaced": ("damaged", "it is not the file that was published; cuesmith build restores that"),
    }
    if ledger is None or ledger.version is None:
        return []
    return [
        Finding(words[fault.kind][0], f"{_ROOT}/{fault.path}", words[fault.kind][1])
        for fault in _faults(store, root, ledger, thorough=True)
    ]


def _before_ledgers(catalog: Catalog, root: Path) -> _Ledger | None:
    """What a release without ledgers wrote into a folder that shows the latest version; None where it shows none."""
    version = catalog.latest()
    with suppress(OSError):
        if version is not None and (root / _MARK).read_bytes() == _mark(version.number):
            return _Ledger(version.number, {path: (item, None) for path, item in _wanted(version).items()})
    return None


def _faults(store: Store, root: Path, ledger: _Ledger, *, thorough: bool) -> Iterator[LibraryFault]:
    for path, (item, stamp) in sorted(ledger.files.items()):
        found = _stamp(root / path)
        if found is None:
            yield LibraryFault(path, "deleted" if not os.path.lexists(root / path) else "replaced")
            continue
        known = _is_link_to(store, root / path, item) if thorough else found == stamp
        if not known and not _holds(root / path, item):
            yield LibraryFault(path, "replaced")


def _shows_latest(catalog: Catalog, root: Path) -> bool:
    channel, ledger = catalog.channel(LATEST), _read(catalog.store)
    if channel is None or ledger is None or ledger.version != channel["version"]:
        return False
    with suppress(OSError):
        if (root / _MARK).read_bytes() == _mark(channel["version"]):
            return all(stamp and _stamp(root / path) == stamp for path, (_, stamp) in ledger.files.items())
    return False


class _Sync:
    """One change of the library, under its lock.

    The ledger is open (without a version) as long as it takes, and names both what was there and what will be: a
    kill at any moment leaves no file of ours that it does not know.
    """

    def __init__(self, catalog: Catalog, root: Path, version: Version) -> None:
        self._store, self._root, self._version = catalog.store, root, version
        self._wanted = _wanted(version)
        ledger = _read(self._store)
        self._ours = ledger.files if ledger else _published(catalog, root)
        shown = ledger or _before_ledgers(catalog, root)
        self._faults: list[LibraryFault] = []
        if shown is not None and shown.version is not None:
            self._faults += _faults(self._store, root, shown, thorough=False)
        self._broken: set[str] = set()
        self._set_aside: dict[str, str] = {}

    def run(self) -> Library:
        """Remove what is no longer shown, and place what is missing."""
        planned = {path: (item, None) for path, item in self._wanted.items()}
        _write(self._store, _Ledger(None, {**planned, **self._ours}))
        with translate_os_errors("write", str(self._root)):
            self._root.mkdir(parents=True, exist_ok=True)
            disk.remove(str(self._root / _MARK))
            for path in sorted(self._ours.keys() - self._wanted.keys()):
                self._remove(path)
            for path, item in self._wanted.items():
                self._place(path, item)
            stamps = {
                path: None if path in self._broken else _stamp(self._root / path) for path in self._wanted
            }
            (self._root / _MARK).write_bytes(_mark(self._version.number))
        files = {path: (item, stamps[path]) for path, item in self._wanted.items()}
        _write(self._store, _Ledger(self._version.number, files))
        restored = (one for one in self._faults if one.path in self._wanted and one.path not in self._broken)
        return Library(self._root, tuple(restored), self._set_aside)

    def _remove(self, path: str) -> None:
        """Remove a file of ours, what a kill left of its making, and the folders that are empty without it."""
        file = self._root / path
        if any(folder.is_symlink() for folder in self._folders(path)):
            return
        disk.remove(str(file.with_name(f".{file.name}.new")))
        if _stamp(file) is not None and not self._is_foreign(file, path, self._ours[path][0]):
            disk.remove(str(file))
        for folder in reversed(self._folders(path)):
            try:
                folder.rmdir()
            except OSError:
                return

    def _place(self, path: str, item: ObjectJson) -> None:
        """Have ``item`` at ``path``; what others put there, or in place of its folder, is moved out of the way."""
        file = self._root / path
        before, stamp = self._ours.get(path, (None, None))
        found = _stamp(file)
        if found is not None and before == item:
            linked = _is_link_to(self._store, file, item)
            if not linked and (found == stamp or _holds(file, item)):
                return
            if not linked and not self._can_restore(item):
                self._broken.add(path)
                return
        for folder in self._folders(path):
            if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
                self._move_away(folder.relative_to(self._root).as_posix())
        if os.path.lexists(file) and self._is_foreign(file, path, item):
            self._move_away(path)
        _copy(self._store, item, file)

    def _folders(self, path: str) -> list[Path]:
        """The folders between the library and the file at ``path``, outermost first."""
        return [self._root / folder for folder in reversed(PurePosixPath(path).parents[:-1])]

    def _is_foreign(self, file: Path, path: str, item: ObjectJson) -> bool:
        """Whether something is lost when ``file`` goes: we did not write it, and the store does not have its bytes."""
        found = _stamp(file)
        if found is None:
            return True
        if path in self._ours and found == self._ours[path][1]:
            return False
        return not self._store.has(ObjectRef(_sha256(file), item["suffix"], found[0]))

    def _can_restore(self, item: ObjectJson) -> bool:
        source = self._store.path(ObjectRef(item["sha256"], item["suffix"], item["size"]))
        return source is not None and source.is_file() and _holds(source, item)

    def _move_away(self, path: str) -> None:
        """Move what is at ``path`` to the same path below ``library/replaced``, or below a number there."""
        key, number = f"{_REPLACED}/{path}", 1
        while not _is_free(target := self._root.parents[1] / key):
            number += 1
            key = f"{_REPLACED}/{number}/{path}"
        disk.patiently(lambda: os.rename(self._root / path, target))
        self._set_aside[path] = key


def _is_free(target: Path) -> bool:
    """Whether nothing is at ``target`` and its folder is there, made now if need be."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False
    return not os.path.lexists(target)


def _published(catalog: Catalog, root: Path) -> dict[str, tuple[ObjectJson, Stamp | None]]:
    """What a release without ledgers wrote: files at paths of any version; their bytes tell whether they are ours."""
    if not root.is_dir():
        return {}
    found: dict[str, tuple[ObjectJson, Stamp | None]] = {}
    for number in catalog.numbers():
        with suppress(FormatError, VerificationError):
            found |= {path: (item, None) for path, item in _wanted(catalog.read(number)).items()}
    return {path: ours for path, ours in found.items() if os.path.lexists(root / path)}


def _wanted(version: Version) -> dict[str, ObjectJson]:
    return {path: item for row in version.masters for path, item in row["files"].items()}


def _stays_inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and ".." not in parts and not path.startswith("/") and "\\" not in path


def _mark(number: int) -> bytes:
    return f"{number}\n".encode()


def _stamp(file: Path) -> Stamp | None:
    """The stamp of a plain file; None for anything else, and where nothing is."""
    try:
        status = os.lstat(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def _is_link_to(store: Store, file: Path, item: ObjectJson) -> bool:
    source = store.path(ObjectRef(item["sha256"], item["suffix"], item["size"]))
    return source is not None and source.exists() and os.path.samefile(source, file)


def _holds(file: Path, item: ObjectJson) -> bool:
    """Whether ``file`` has the bytes of ``item``."""
    return os.path.getsize(file) == item["size"] and _sha256(file) == item["sha256"]


def _sha256(file: Path) -> str:
    with translate_os_errors("read", str(file)), file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _read(store: Store) -> _Ledger | None:
    """The ledger; None where there is none, or none that can be read: then the versions tell what is ours."""
    try:
        value = read_record(store.backend.read(_LEDGER), LIBRARY_SCHEMA, _LEDGER)
        files = {
            path: (ObjectJson(sha256=sha256, suffix=suffix, size=size), (size, time) if time else None)
            for path, (sha256, suffix, size, time) in value["files"].items()
            if _stays_inside(path)
        }
        return _Ledger(value["version"], files)
    except (Missing, VerificationError, KeyError, TypeError, ValueError, AttributeError):
        return None


def _write(store: Store, ledger: _Ledger) -> None:
    files = {
        path: [item["sha256"], item["suffix"], item["size"], stamp[1] if stamp else None]
        for path, (item, stamp) in ledger.files.items()
    }
    record = {"schema": LIBRARY_SCHEMA, "version": ledger.version, "files": files}
    store.backend.write(
        _LEDGER, json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    )


def _copy(store: Store, item: ObjectJson, target: Path) -> None:
    """Have a copy of the object ``item`` at ``target``, in one step: an edit of it leaves the store whole."""
    source = store.path(ObjectRef(item["sha256"], item["suffix"], item["size"]))
    if source is None:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.new")
    disk.remove(str(fresh))
    disk.copy_new(str(source), str(fresh))
    disk.replace(str(fresh), str(target))
