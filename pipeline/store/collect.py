"""Remove what nothing names: objects, the records that count on them, what killed processes left."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import nullcontext
from dataclasses import dataclass

from pipeline.errors import VerificationError
from pipeline.store.backend import Entry
from pipeline.store.objects import sha256_in
from pipeline.store.references import CATALOG_ROOMS, RECORD_ROOMS, Naming, read_namings
from pipeline.store.store import Store

GRACE_SECONDS = 3600.0


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
    """Files of the folders that were to go."""


def gc(
    store: Store,
    keep: Collection[str] | Callable[[], Collection[str]] | None = None,
    *,
    grace: float = GRACE_SECONDS,
    dry_run: bool = False,
    retire: Callable[[], Collection[str]] | None = None,
) -> Collected:
    """Remove unnamed objects and temporary files older than ``grace`` seconds.

    ``keep`` holds the SHA-256 of the objects whose records stay; a function is asked once the store is
    held, so that it sees what the last build wrote. None keeps every record. Whatever ``keep`` says, an
    object stays that a catalog version, a channel or a record younger than ``grace`` names. Records that
    name a removed object go first. ``retire`` gives folders, such as ``catalog/000001``, that go with all that they
    hold; what is named there alone is then named no more.

    A dry run takes no lock, so it works on a read-only drive; what it finds beside a running build may change.

    Raises `Busy` while a build runs, and `VerificationError` when a record cannot be read: it may name
    anything.
    """
    with nullcontext() if dry_run else store.alone():
        now = time.time()
        folders = tuple(f"{folder}/" for folder in (retire() if retire else ()))
        wanted = set(keep() if callable(keep) else keep or ())
        records = [_readable(naming) for naming in read_namings(store.backend, RECORD_ROOMS)]
        for naming in read_namings(store.backend, CATALOG_ROOMS):
            if not naming.entry.key.startswith(folders):
                wanted |= {ref.sha256 for ref in _readable(naming).objects}
        for naming in records:
            if keep is None or now - naming.entry.modified < grace:
                wanted |= {ref.sha256 for ref in naming.objects}
        retired = _in_folders(store, folders)
        return _remove(store, wanted, records, retired, now - grace, dry_run)


def _in_folders(store: Store, folders: tuple[str, ...]) -> list[Entry]:
    """Every file there; ``catalog.json`` first, so that a kill leaves no version without its other files."""
    found = [entry for folder in folders for entry in store.backend.list(folder)]
    return sorted(found, key=lambda entry: not entry.key.endswith("/catalog.json"))


def _remove(
    store: Store,
    wanted: set[str],
    records: list[Naming],
    retired: list[Entry],
    before: float,
    dry_run: bool,
) -> Collected:
    backend = store.backend
    found = {entry: sha256_in(entry.key.rpartition("/")[2]) for entry in backend.list("store")}
    objects = [entry for entry, sha256 in found.items() if sha256 and sha256 not in wanted]
    objects = [entry for entry in objects if entry.modified <= before]
    gone = {entry.key for entry in objects}
    counting = [naming.entry for naming in records if any(ref.key in gone for ref in naming.objects)]
    temporary = [entry for entry in backend.list("tmp") if entry.modified <= before]
    if not dry_run:
        for entry in (*retired, *counting, *objects, *temporary):
            backend.delete(entry.key)
    return Collected(
        tuple(entry.key for entry in objects),
        tuple(entry.key for entry in counting),
        tuple(entry.key for entry in temporary),
        sum(entry.size for entry in (*retired, *counting, *objects, *temporary)),
        sum(sha256 is not None for sha256 in found.values()) - len(objects),
        tuple(entry.key for entry in retired),
    )


def _readable(naming: Naming) -> Naming:
    if naming.damage is not None:
        raise VerificationError(naming.damage)
    return naming
