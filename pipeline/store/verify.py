"""Prove the whole store by re-hashing it, and move aside what fails, so that a build makes it again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from pipeline.errors import CuesmithError, MachineError
from pipeline.store.backend import Backend, Entry, Missing
from pipeline.store.objects import ObjectRef, sha256_in
from pipeline.store.os_errors import translate_os_errors
from pipeline.store.references import CATALOG_ROOMS, RECORD_ROOMS, CheckRecord, read_namings
from pipeline.store.store import Store

Kind = Literal["damaged", "torn", "missing", "unreadable", "newer", "stray"]
Progress = Callable[[int, int], None]
"""Called with objects done and objects in all."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    kind: Kind
    """``damaged``: other bytes than its name says; ``torn``: of another size than a record says;
    ``missing``: named but not there; ``unreadable``: a file that the system does not hand out, or a record or
    version that is no JSON, or another one than its name says; ``newer``: written by a newer release; ``stray``:
    left by a kill, or put there by hand, and harmless."""
    key: str
    what: str
    named_by: tuple[str, ...] = ()
    """Keys of the records and versions that name the object."""

    @property
    def harmful(self) -> bool:
        """Whether something that was promised is not there."""
        return self.kind != "stray"

    def __str__(self) -> str:
        by = f" (named by {', '.join(self.named_by)})" if self.named_by else ""
        return f"{self.key}: {self.kind}: {self.what}{by}"


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done about one finding."""

    finding: Finding
    moved: tuple[tuple[str, str], ...]
    """Old key and new key, below ``quarantine/``, of every file that was moved."""
    advice: str
    """What a person does next."""
    done: bool = True
    """Whether it is whole now, or will be after the next build; else a person has to act on ``advice``."""


def verify(
    store: Store, progress: Progress | None = None, check: CheckRecord | None = None
) -> Iterator[Finding]:
    """Re-hash every object and follow every name. May run beside builds.

    Records are read before objects are listed: a name that a build adds meanwhile is not missed, because its
    object came first. ``check`` looks at each record as `read_namings` says.
    """
    backend = store.backend
    named: dict[str, tuple[ObjectRef, list[str]]] = {}
    for naming in read_namings(backend, RECORD_ROOMS + CATALOG_ROOMS, check):
        if naming.damage is not None:
            yield Finding("newer" if naming.newer else "unreadable", naming.entry.key, naming.damage)
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


def repair(store: Store, progress: Progress | None = None) -> list[Repair]:
    """Move what `verify` finds harmful into ``quarantine/``, with every record that counts on it.

    Nothing is deleted. Records go before their object, so a kill halfway leaves nothing that names what is
    gone. Catalog versions stay as they are: once a build has made the same bytes again, they are whole
    again. Raises `Busy` while a build runs.
    """
    with store.alone():
        return set_aside(store, [finding for finding in list(verify(store, progress)) if finding.harmful])


def set_aside(store: Store, findings: Iterable[Finding]) -> list[Repair]:
    """The repairs of `repair` for these harmful ``findings``. The caller holds the store alone."""
    done: dict[str, str] = {}
    return [_repair(store.backend, finding, done) for finding in findings]


def _check(backend: Backend, entry: Entry, ref: ObjectRef | None, by: tuple[str, ...]) -> Finding | None:
    folder, _, name = entry.key.removeprefix("store/").partition("/")
    sha256 = sha256_in(name)
    if sha256 is None or sha256[:2] != folder:
        return Finding("stray", entry.key, "no object has such a name; move it out of the store")
    try:
        found = _sha256(backend, entry.key)
    except Missing:
        return None
    except MachineError as error:
        if backend.local_path(entry.key) is None:
            raise
        return Finding("unreadable", entry.key, str(error), by)
    if found == sha256 and (ref is None or ref.size == entry.size):
        return None
    if ref is not None and ref.size != entry.size:
        return Finding("torn", entry.key, f"it has {entry.size} bytes, and {ref.size} were recorded", by)
    return Finding("damaged", entry.key, f"its {entry.size} bytes hash to {found}", by)


def _sha256(backend: Backend, key: str) -> str:
    path = backend.local_path(key)
    if path is None:
        return hashlib.sha256(backend.read(key)).hexdigest()
    with translate_os_errors("read", str(path)):
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise Missing(f"{path} does not exist") from None


def _repair(backend: Backend, finding: Finding, done: dict[str, str]) -> Repair:
    names = (*finding.named_by, *(() if finding.kind == "missing" else (finding.key,)))
    keys = [key for key in names if not key.startswith(tuple(f"{room}/" for room in CATALOG_ROOMS))]
    if finding.kind == "newer":
        return Repair(finding, (), "update cuesmith; files of a newer release stay as they are", done=False)
    try:
        moved = tuple(
            (key, done.setdefault(key, quarantine(backend, key))) for key in keys if key not in done
        )
    except CuesmithError as error:
        return Repair(finding, (), str(error), done=False)
    if finding.kind == "unreadable" and not moved:
        advice = "restore this file from a backup, or roll the channel back to another version"
        return Repair(finding, moved, advice, done=False)
    return Repair(
        finding, moved, "build again to make it anew" if finding.named_by or moved else "nothing to do"
    )


def quarantine(backend: Backend, key: str) -> str:
    """Move ``key`` below ``quarantine/``, beside what is there already; returns its new key."""
    target = quarantine_key(backend, key)
    backend.move(key, target)
    return target


def quarantine_key(backend: Backend, key: str) -> str:
    """A key below ``quarantine/`` for ``key`` under which nothing is yet."""
    target, number = f"quarantine/{key}", 1
    while backend.exists(target):
        number += 1
        target = f"quarantine/{number}/{key}"
    return target
