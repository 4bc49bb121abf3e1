"""The folder of an export: it changes only what differs, and only files that an earlier export wrote.

``.cuesmith-export.json`` in the folder is the ledger: every file that exports wrote, with its hash, size and time, and
the names that the sounds got. A file that is not in the ledger is never changed. A file of the ledger that somebody
edited is kept, except import settings: an engine writes its own values into them, so only our values are replaced.

The ledger is written before and after a change. Meanwhile it lists the old and the new files, so after a kill the next
export knows every file of ours.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import FormatError, UsageError, VerificationError
from pipeline.export.files import Stamp, remove_file, replaced, sha256_of, stamp_of, stays_inside
from pipeline.manifest.problems import list_names
from pipeline.store import Store, disk, read_record, translate_os_errors

LEDGER = ".cuesmith-export.json"
_SCHEMA = "cuesmith.export/1"

Merge = Callable[[str, str], str]
"""The text of import settings after an engine changed them: from the text in the folder and our new text."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file to write."""

    sha256: str
    size: int
    source: str | bytes
    """The key of a file in the store, or the bytes."""
    merge: Merge | None = None
    """Only of import settings, which engines change."""

    @classmethod
    def of(cls, data: bytes, merge: Merge | None = None) -> Item:
        """A generated file."""
        return cls(hashlib.sha256(data).hexdigest(), len(data), data, merge)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the ledger."""

    sha256: str
    stamp: Stamp | None
    """None while an export writes it."""
    settings: bool = False
    pending: str = ""
    """SHA-256 of what an export is about to write in its place: after a kill the file has one of the two."""

    def is_ours(self, sha256: str) -> bool:
        """Whether an export wrote a file of these bytes here."""
        return sha256 in (self.sha256, self.pending)

    def to_json(self) -> list[Any]:
        """A row of the ledger."""
        row = [self.sha256, *(self.stamp or (0, None)), self.settings]
        return [*row, self.pending] if self.pending else row


@dataclass(frozen=True, slots=True)
class Ledger:
    """What earlier exports wrote into a folder."""

    target: str
    names: Mapping[str, str] = field(default_factory=dict)
    """The name of each sound and file, by key: see `pipeline.export.pack`."""
    files: Mapping[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changes:
    """What an export did to its folder. All paths are below the folder."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    """Files of ours that somebody edited and that differ from the version."""
    unchanged: int


def read_ledger(root: Path, target: str) -> Ledger:
    """The ledger in the folder ``root``; an empty one before the first export.

    Raises `UsageError` if the folder has an export for another target, `FormatError` if the ledger is damaged.
    """
    place = root / LEDGER
    try:
        with translate_os_errors("read", str(place)):
            data = place.read_bytes() if place.is_file() else None
        if data is None:
            return Ledger(target)
        value = read_record(data, _SCHEMA, str(place))
        files = {
            path: Entry(sha256, (size, time) if time is not None else None, bool(settings), *pending)
            for path, (sha256, size, time, settings, *pending) in value["files"].items()
            if stays_inside(path)
        }
        ledger = Ledger(value["target"], dict(value["names"]), files)
    except (VerificationError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(
            f"{place} is damaged: {error}; restore it, or export into an empty folder"
        ) from error
    if ledger.target != target:
        raise UsageError(f"{root} has an export for {ledger.target}; choose another folder for {target}")
    return ledger


def update_folder(store: Store, root: Path, files: Mapping[str, Item], ledger: Ledger) -> Changes:
    """Make the files of the ledger in ``root`` be ``files``; ``ledger`` has the new names and the earlier files.

    Raises `UsageError`, before any change, if files of other programs are in the way.
    """
    return _Update(store, root, files, ledger).run()


Action = Literal["same", "write", "merge", "keep", "blocked"]


class _Update:
    def __init__(self, store: Store, root: Path, files: Mapping[str, Item], ledger: Ledger) -> None:
        self._store, self._root, self._files, self._ledger = store, root, files, ledger
        self._open: dict[Path, bool] = {}

    def run(self) -> Changes:
        with translate_os_errors("read", str(self._root)):
            actions = {path: self._action(path, item) for path, item in self._files.items()}
        self._check([path for path, action in actions.items() if action == "blocked"])
        changed = [path for path, action in actions.items() if action in ("write", "merge")]
        removed = sorted(self._ledger.files.keys() - self._files.keys())
        with translate_os_errors("write", str(self._root)):
            self._root.mkdir(parents=True, exist_ok=True)
            if changed or removed:
                pending = {path: self._pending(path) for path in changed}
                self._write_ledger({**self._ledger.files, **pending})
            for path in changed:
                self._write(path, self._files[path], merge=actions[path] == "merge")
            gone = tuple(path for path in removed if self._remove(path))
            kept = tuple(path for path, action in actions.items() if action == "keep")
            self._write_ledger(
                {
                    path: self._ledger.files[path]
                    if path in kept
                    else self._entry(path, stamp_of(self._root / path))
                    for path in self._files
                }
            )
        return Changes(tuple(changed), gone, kept, len(actions) - len(changed) - len(kept))

    def _action(self, path: str, item: Item) -> Action:
        """What to do with the file at ``path``."""
        file, entry = self._root / path, self._ledger.files.get(path)
        if not self._is_open(file.parent):
            return "blocked"
        stamp = stamp_of(file)
        if stamp is None:
            return "blocked" if os.path.lexists(file) else "write"
        if entry is not None and stamp == entry.stamp:
            if entry.sha256 == item.sha256:
                return "same"
            if item.merge is None:
                return "write"
        return self._action_on_other_bytes(sha256_of(file), item, entry)

    def _action_on_other_bytes(self, current: str, item: Item, entry: Entry | None) -> Action:
        """What to do with a file that is not as the last export left it; ``current`` is its SHA-256."""
        if current == item.sha256:
            return "same"
        if entry is None:
            return "blocked"
        if entry.is_ours(current):
            return "write"
        if item.merge is None:
            return "keep"
        return "same" if entry.sha256 == item.sha256 else "merge"

    def _is_open(self, folder: Path) -> bool:
        """Whether files can be written into ``folder``: it and those around it are folders or are not there."""
        if folder == self._root:
            return True
        if folder not in self._open:
            is_open = self._is_open(folder.parent)
            self._open[folder] = is_open and (_is_folder(folder) or not os.path.lexists(folder))
        return self._open[folder]

    def _check(self, blocked: list[str]) -> None:
        if not blocked:
            return
        raise UsageError(
            f"{self._root}: files that no export wrote are in the way: {list_names(blocked, limit=8)}; move them away, "
            "or choose another folder"
        )

    def _entry(self, path: str, stamp: Stamp | None) -> Entry:
        item = self._files[path]
        return Entry(item.sha256, stamp, item.merge is not None)

    def _pending(self, path: str) -> Entry:
        """The entry of a file while it is written."""
        before = self._ledger.files.get(path)
        return (
            self._entry(path, None) if before is None else replace(before, pending=self._files[path].sha256)
        )

    def _write(self, path: str, item: Item, *, merge: bool) -> None:
        """Write ``item`` in one step. Raises `VerificationError` if the store's file is damaged."""
        file = self._root / path
        source = self._store.backend.local_path(item.source) if isinstance(item.source, str) else None
        with replaced(file) as fresh:
            if source is not None:
                disk.copy_new(str(source), fresh)
            elif merge and item.merge is not None and isinstance(item.source, bytes):
                present = file.read_text(encoding="utf-8", errors="surrogateescape")
                text = item.merge(present, item.source.decode())
                disk.write_new(fresh, text.encode("utf-8", "surrogateescape"), flush=False)
                return
            else:
                data = (
                    item.source if isinstance(item.source, bytes) else self._store.backend.read(item.source)
                )
                disk.write_new(fresh, data, flush=False)
            self._verify(item, fresh)

    def _verify(self, item: Item, fresh: str) -> None:
        if sha256_of(Path(fresh)) != item.sha256:
            disk.remove(fresh)
            cached = str(item.source).startswith("cache/")
            remedy = "delete it" if cached else "run `cuesmith verify --repair`"
            raise VerificationError(
                f"{self._store.root}/{item.source!s} is damaged; {remedy}, then export again"
            )

    def _remove(self, path: str) -> bool:
        """Remove a file of ours that no version needs; False if a person edited it."""
        file, entry = self._root / path, self._ledger.files[path]
        return remove_file(
            self._root,
            path,
            lambda stamp: stamp == entry.stamp or entry.settings or entry.is_ours(sha256_of(file)),
        )

    def _write_ledger(self, files: Mapping[str, Entry]) -> None:
        value: dict[str, Any] = {
            "schema": _SCHEMA,
            "target": self._ledger.target,
            "names": dict(sorted(self._ledger.names.items())),
            "files": {path: entry.to_json() for path, entry in sorted(files.items())},
        }
        data = json.dumps(value, ensure_ascii=False, indent=0).encode() + b"\n"
        place = self._root / LEDGER
        if not (place.is_file() and place.read_bytes() == data):
            disk.write_atomically(place, data)


def _is_folder(path: Path) -> bool:
    """Whether ``path`` is a folder itself, not a link to one: an export never leaves its folder."""
    return path.is_dir() and not path.is_symlink()
