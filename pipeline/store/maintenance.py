"""The whole store at once: who names which object, `verify` and its repairs, and `gc` for what nothing names."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pipeline.errors import CuesmithError, FormatError, MachineError, VerificationError
from pipeline.store.backend import Backend, Entry, Missing
from pipeline.store.formats import NewerFormatError, Record, load_record, schema_of
from pipeline.store.store import ObjectRef, Store, named_objects, sha256_in

RECORD_ROOMS = ("takes", "masters")
"""A build makes them again when they are gone."""
CATALOG_ROOMS = ("catalog", "channels")
"""The store never changes or removes them."""
CheckRecord = Callable[[str, Record], None]
"""Called with the key and the content of a JSON file; raises `FormatError` or `VerificationError` when it is wrong."""
Kind = Literal["damaged", "torn", "missing", "unreadable", "newer", "stray"]
Progress = Callable[[int, int], None]
"""Called with objects done and objects in all."""
GRACE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Naming:
    """One stored JSON file and the objects that it names."""

    entry: Entry
    objects: frozenset[ObjectRef]
    fault: CuesmithError | None
    """Why the file cannot be read, or does not hold what its name says; None when it is fine."""


def read_namings(
    backend: Backend, rooms: tuple[str, ...], check: CheckRecord | None = None
) -> Iterator[Naming]:
    """Every JSON file in ``rooms`` and what it names, without files that another process removed meanwhile.

    ``check`` judges what only the owner of a format can.
    """
    for room in rooms:
        entries = {entry.key: entry for entry in backend.list(room) if entry.key.endswith(".json")}
        for key, data in _read_each(backend, entries):
            try:
                if isinstance(data, MachineError):
                    raise data
                record = load_record(data, key)
                _check_name(record, key, room)
                objects = frozenset(named_objects(record))
                if check is not None:
                    check(key, record)
            except (FormatError, VerificationError, MachineError) as error:
                yield Naming(entries[key], frozenset(), error)
            else:
                yield Naming(entries[key], objects, None)


def _read_each(backend: Backend, keys: Iterable[str]) -> Iterator[tuple[str, bytes | MachineError]]:
    """Each key with its bytes, or on a local disk with the error of a file that cannot be read."""
    if backend.local_path("takes") is None:
        yield from backend.read_many(keys)
        return
    for key in keys:
        try:
            yield key, backend.read(key)
        except Missing:
            continue
        except MachineError as error:
            yield key, error


def _check_name(record: Record, key: str, room: str) -> None:
    schema_of(record, key)
    digest = record.get("digest")
    if room in RECORD_ROOMS and digest is not None and key != f"{room}/{digest}.json":
        raise VerificationError(
            f"{key} is damaged: it holds the record {digest}; run `cuesmith verify --repair`"
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault in a store."""

    kind: Kind
    """``damaged``: its bytes do not match its name; ``torn``: its size is not the recorded one; ``missing``: named
    but not there; ``unreadable``: a file that cannot be read, or a record or version that is no JSON or not the one
    that its name says; ``newer``: written by a newer release; ``stray``: harmless, left by a killed process or put
    there by hand."""
    key: str
    what: str
    named_by: tuple[str, ...] = ()
    """Keys of the records and versions that name the object."""

    @property
    def harmful(self) -> bool:
        """Whether something that a record names is not there."""
        return self.kind != "stray"

    def __str__(self) -> str:
        by = f" (named by {', '.join(self.named_by)})" if self.named_by else ""
        return f"{self.key}: {self.kind}: {self.what}{by}"


def unreadable(key: str, error: Exception, named_by: tuple[str, ...] = ()) -> Finding:
    """The finding about a file that cannot be read because of ``error``."""
    return Finding(
        "newer" if isinstance(error, NewerFormatError) else "unreadable", key, str(error), named_by
    )


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done about one finding."""

    finding: Finding
    moved: tuple[tuple[str, str], ...]
    """Old key and new key, below ``quarantine/``, of every file that was moved."""
    advice: str
    """What a person does next."""
    done: bool = True
    """Whether it is whole now, or will be after the next build. Otherwise a person has to follow ``advice``."""


def verify(
    store: Store, progress: Progress | None = None, check: CheckRecord | None = None
) -> Iterator[Finding]:
    """Re-hash every object and follow every name. May run beside builds.

    Records are read before objects are listed. A build stores an object before its record, so every object that
    a record names is in the list. ``check``: see `read_namings`.
    """
    backend = store.backend
    named: dict[str, tuple[ObjectRef, list[str]]] = {}
    for naming in read_namings(backend, RECORD_ROOMS + CATALOG_ROOMS, check):
        if naming.fault is not None:
            yield unreadable(naming.entry.key, naming.fault)
        for ref in naming.objects:
            named.setdefault(ref.key, (ref, []))[1].append(naming.entry.key)
    entries = list(backend.list("store"))
    for done, entry in enumerate(entries, 1):
        expected, by = named.pop(entry.key, (None, []))
        finding = _check(backend, entry, expected, tuple(by))
        if finding is not None:
            yield finding
        if progress is not None:
            progress(done, len(entries))
    for key, (_, by) in sorted(named.items()):
        if not backend.exists(key):
            yield Finding("missing", key, "it is not in the store", tuple(by))
    for entry in backend.list("tmp"):
        yield Finding(
            "stray",
            entry.key,
            f"temporary file of {entry.size} bytes; a killed process left it, or a build is running now",
        )


def set_aside(store: Store, findings: Iterable[Finding]) -> list[Repair]:
    """Move harmful ``findings`` of `verify` into ``quarantine/``, with every record that depends on them.

    Nothing is deleted. Records go before their object, so a kill halfway leaves no record of a missing object.
    Catalog versions stay as they are: they are whole again once a build has made the same bytes. The caller holds the
    store alone.
    """
    repair = partial(_set_aside, store.backend, {})
    return [attempt(repair, finding) for finding in findings]


def _check(backend: Backend, entry: Entry, ref: ObjectRef | None, by: tuple[str, ...]) -> Finding | None:
    folder, _, name = entry.key.removeprefix("store/").partition("/")
    sha256 = sha256_in(name)
    if sha256 is None or sha256[:2] != folder:
        return Finding("stray", entry.key, "no object has such a name; move it out of the store")
    try:
        actual = hashlib.sha256(backend.read(entry.key)).hexdigest()
    except Missing:
        return None
    except MachineError as error:
        if backend.local_path(entry.key) is None:
            raise
        return unreadable(entry.key, error, by)
    if actual == sha256 and (ref is None or ref.size == entry.size):
        return None
    if ref is not None and ref.size != entry.size:
        return Finding("torn", entry.key, f"it has {entry.size} bytes, and {ref.size} were recorded", by)
    return Finding("damaged", entry.key, f"its {entry.size} bytes hash to {actual}", by)


def attempt(repair: Callable[[Finding], Repair], finding: Finding) -> Repair:
    """``repair(finding)``, or what a person can do where that fails or a newer release wrote the file."""
    if finding.kind == "newer":
        return Repair(finding, (), "update cuesmith; files of a newer release are not changed", done=False)
    try:
        return repair(finding)
    except CuesmithError as error:
        return Repair(finding, (), str(error), done=False)


def _set_aside(backend: Backend, earlier: dict[str, str], finding: Finding) -> Repair:
    """``earlier``: where files went that other findings moved, by their key; the files of this one are added."""
    names = (*finding.named_by, *(() if finding.kind == "missing" else (finding.key,)))
    keys = [key for key in names if key.partition("/")[0] not in CATALOG_ROOMS]
    moved = tuple(
        (key, earlier.setdefault(key, quarantine(backend, key))) for key in keys if key not in earlier
    )
    if finding.kind == "unreadable" and not moved:
        advice = "restore this file from a backup, or roll the channel back to another version"
        return Repair(finding, moved, advice, done=False)
    return Repair(
        finding, moved, "build again to make it again" if finding.named_by or moved else "nothing to do"
    )


def quarantine(backend: Backend, key: str) -> str:
    """Move ``key`` below ``quarantine/`` without replacing an earlier file; returns its new key."""
    target = quarantine_key(backend, key)
    backend.move(key, target)
    return target


def quarantine_key(backend: Backend, key: str) -> str:
    """A free key below ``quarantine/`` for ``key``."""
    target, number = f"quarantine/{key}", 1
    while backend.exists(target):
        number += 1
        target = f"quarantine/{number}/{key}"
    return target


@dataclass(frozen=True, slots=True)
class Collected:
    """What `gc` removed, or would remove."""

    objects: tuple[str, ...]
    """Keys, as in the other fields."""
    records: tuple[str, ...]
    temporary: tuple[str, ...]
    freed: int
    """Bytes of all of them."""
    kept: int
    """Objects that stay."""
    retired: tuple[str, ...] = ()
    """Files in the folders that ``retire`` gave."""


def gc(
    store: Store,
    keep: Collection[str] | Callable[[], Collection[str]] | None = None,
    *,
    grace: float = GRACE_SECONDS,
    dry_run: bool = False,
    retire: Callable[[], Collection[str]] | None = None,
    copies: Callable[[], Collection[str]] | None = None,
) -> Collected:
    """Remove unnamed objects and temporary files older than ``grace`` seconds.

    ``keep`` holds the SHA-256 of the objects whose records stay; a function is called after the store is locked,
    so that it sees what the last build wrote. None keeps every record. In any case an object stays that a
    catalog version, a channel or a record younger than ``grace`` names. Records that name a removed object are removed
    first. ``retire`` gives folders, such as ``catalog/000001``, that are removed with all their files; a name in
    them keeps no object. ``copies`` gives the SHA-256 of objects that channels name only for these folders, because in
    a dry run the channels still name them.

    A dry run takes no lock, so that it works on a read-only drive; beside a running build its result may change.

    Raises `Busy` while a build runs, and `VerificationError` when a record cannot be read: it may name any object.
    """
    with nullcontext() if dry_run else store.alone():
        now = time.time()
        folders = tuple(f"{folder}/" for folder in (retire() if retire else ()))
        copied = frozenset(copies() if copies else ())
        needed = set(keep() if callable(keep) else keep or ())
        records = [_readable(naming) for naming in read_namings(store.backend, RECORD_ROOMS)]
        for naming in read_namings(store.backend, CATALOG_ROOMS):
            if not naming.entry.key.startswith(folders):
                named = {ref.sha256 for ref in _readable(naming).objects}
                needed |= named - copied if naming.entry.key.startswith("channels/") else named
        for naming in records:
            if keep is None or now - naming.entry.modified < grace:
                needed |= {ref.sha256 for ref in naming.objects}
        removable = _removable(
            store.backend, needed, records, _in_folders(store.backend, folders), now - grace
        )
        if not dry_run:
            # Records before their objects, so that a kill leaves no record of a missing object.
            for key in (*removable.retired, *removable.records, *removable.objects, *removable.temporary):
                store.backend.delete(key)
        return removable


def _in_folders(backend: Backend, folders: tuple[str, ...]) -> list[Entry]:
    """Every file there; ``catalog.json`` first, so that a kill leaves no version without its other files."""
    files = [entry for folder in folders for entry in backend.list(folder)]
    return sorted(files, key=lambda entry: not entry.key.endswith("/catalog.json"))


def _removable(
    backend: Backend, needed: set[str], records: list[Naming], retired: list[Entry], before: float
) -> Collected:
    """What may be removed: objects that are not ``needed`` and temporary files, both last changed ``before`` a time."""
    named = {entry: sha256_in(entry.key.rpartition("/")[2]) for entry in backend.list("store")}
    objects = [
        entry
        for entry, sha256 in named.items()
        if sha256 and sha256 not in needed and entry.modified <= before
    ]
    keys = {entry.key for entry in objects}
    depending = [naming.entry for naming in records if any(ref.key in keys for ref in naming.objects)]
    temporary = [entry for entry in backend.list("tmp") if entry.modified <= before]
    return Collected(
        objects=tuple(entry.key for entry in objects),
        records=tuple(entry.key for entry in depending),
        temporary=tuple(entry.key for entry in temporary),
        freed=sum(entry.size for entry in (*retired, *depending, *objects, *temporary)),
        kept=sum(sha256 is not None for sha256 in named.values()) - len(objects),
        retired=tuple(entry.key for entry in retired),
    )


def _readable(naming: Naming) -> Naming:
    if naming.fault is not None:
        raise VerificationError(str(naming.fault))
    return naming
