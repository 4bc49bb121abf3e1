"""Write the report of one version: read its records, prepare media, write the page."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

from pipeline.catalog import LATEST, Catalog, Reviews, Version, read_quarantine, review_state
from pipeline.errors import UsageError
from pipeline.formats import FORMATS
from pipeline.provenance import MasterRecord, MasterRow, master_records
from pipeline.report.entries import (
    History,
    ListEntries,
    details,
    playable_sounds,
    quarantine_fields,
    read_history,
    review_state_json,
)
from pipeline.report.media import CACHE, prepare_media, script, sidecar_key
from pipeline.report.page import (
    compute_bars,
    device_bars,
    duration,
    failures_by_asset,
    render,
    size_curve,
    stage_bars,
)
from pipeline.store import Missing, ObjectRef, Store, disk, fields_fault, parse_object, translate_os_errors

SCHEMA = "cuesmith.report/1"
DETAILS_IN_A_FILE = 100
_STORE_ROOT = "../../"


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written."""

    version: int
    against: int | None
    masters: int
    quarantined: int
    """Number of masters that failed a quality gate; the report plays them too."""
    key: str
    """Key of the page in the store."""
    path: Path | None
    """Path of the page on this machine."""
    html_bytes: int
    without_pictures: tuple[str, ...]
    """Names of masters whose sound cannot be read; the page has no pictures or loops of them."""
    seconds: float


@dataclass(frozen=True, slots=True)
class _Content:
    """What a report shows."""

    version: Version
    quarantined: tuple[MasterRow, ...]
    history: History
    records: Mapping[str, MasterRecord]
    """By master digest."""
    thumbs: Mapping[str, str]
    """Small envelopes by hash of samples."""
    gapless: frozenset[str]
    """Hashes of samples that have a sidecar with the whole sound."""


def write_report(
    store: Store,
    number: int | None = None,
    *,
    against: int | None = None,
    folder: Path | None = None,
) -> Report:
    """Write the report of version ``number`` (default: the latest), compared with ``against`` (default: its parent).

    The report of the latest version also plays quarantined masters; before the first version it shows only these, as
    version 0. It is in the store's ``reports/`` and links to the store's objects; with ``folder`` it is there, with
    copies of all sounds, to send to others. Raises `UsageError` if there is neither a version nor a quarantined master,
    or if a version is compared with itself, and the store's errors.
    """
    began = time.monotonic()
    catalog = Catalog(store)
    version, quarantined = _reported(catalog, number)
    if against == version.number:
        raise UsageError(
            f"version {against} cannot be compared with itself; choose another version with --against"
        )
    history = read_history(catalog, version, against, Reviews(store).events())
    rows = (*version.masters, *quarantined)
    records = master_records(store, {row["master"] for row in rows})
    sounds = playable_sounds(version.masters, history)
    sounds += playable_sounds(quarantined, history.with_current(version))
    thumbs, without_pictures = prepare_media(store, sounds)
    destination = _Destination(store, version, folder)
    for sound in sounds:
        destination.copy(sound.object.key)
        destination.copy(sidecar_key(sound.pcm))
        if sound.gapless:
            destination.copy(sidecar_key(sound.pcm, ".loop"))
    for number_of_file, first in enumerate(range(0, len(rows), DETAILS_IN_A_FILE)):
        part = [details(row, records.get(row["master"])) for row in rows[first : first + DETAILS_IN_A_FILE]]
        name = f"{number_of_file:03d}"
        destination.put(f"details-{name}.js", script("details", name, part))
    gapless = frozenset(sound.pcm for sound in sounds if sound.gapless)
    if folder is None:
        latest = catalog.channel(LATEST)
        store.backend.write(
            "reports/latest.js", script("latest", "version", latest["version"] if latest else 0)
        )
    page = _page(store, _Content(version, quarantined, history, records, thumbs, gapless), destination)
    return Report(
        version=version.number,
        against=history.against.number if history.against else None,
        masters=len(version.masters),
        quarantined=len(quarantined),
        key=destination.put("index.html", page),
        path=destination.path("index.html"),
        html_bytes=len(page),
        without_pictures=without_pictures,
        seconds=round(time.monotonic() - began, 3),
    )


def _reported(catalog: Catalog, number: int | None) -> tuple[Version, tuple[MasterRow, ...]]:
    """The version to report and the quarantined masters; only the latest version shows these."""
    version = catalog.latest() if number is None else catalog.read(number)
    quarantine = read_quarantine(catalog.store)
    quarantined = quarantine.masters if quarantine else ()
    if version is None and quarantine is not None and quarantined:
        return quarantine.as_version(), quarantined
    if version is None:
        raise UsageError(f"no catalog in {catalog.store.root}; make one: cuesmith build")
    is_latest = number is None or any(
        channel["name"] == LATEST and channel["version"] == number for channel in catalog.channels.readable()
    )
    return version, quarantined if is_latest else ()


class _Destination:
    """Where the report's files go: into the store's ``reports/``, or into a folder with copies of all sounds."""

    def __init__(self, store: Store, version: Version, folder: Path | None) -> None:
        self._store = store
        self._folder = folder
        self._home = f"reports/{version.number:06d}"
        self.root = _STORE_ROOT if folder is None else ""

    @property
    def home(self) -> str | None:
        """The folder of the store on this machine; None in a folder to send, or for an object store."""
        library = None if self._folder else self._store.backend.local_path("library")
        return str(library.resolve().parent) if library else None

    def locate(self, ref: ObjectRef) -> str:
        """The address of an object, relative to the page."""
        return self.root + ref.key

    def copy(self, key: str) -> None:
        """Copy a file of the store to the folder, if there is one."""
        if self._folder is None:
            return
        try:
            data = self._store.backend.read(key)
        except Missing:
            return
        _write(self._folder / key, data)

    def put(self, name: str, data: bytes) -> str:
        """Write a file of the report itself; returns its key."""
        key = f"{self._home}/{name}"
        if self._folder is None:
            self._store.backend.write(key, data)
        else:
            _write(self._folder / name, data)
        return key

    def path(self, name: str) -> Path | None:
        """The path of a file of `put` on this machine."""
        if self._folder is not None:
            return self._folder / name
        return self._store.backend.local_path(f"{self._home}/{name}")


def _write(path: Path, data: bytes) -> None:
    """Write a file of a self-contained report, unless it has these bytes already."""
    with translate_os_errors("write", str(path)):
        if path.is_file() and path.read_bytes() == data:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        disk.write_atomically(path, data)


def _page(store: Store, content: _Content, destination: _Destination) -> bytes:
    version, history, records = content.version, content.history, content.records
    events = Reviews(store).events()
    listed = ListEntries(history, review_state(events).approved, destination.locate)
    masters = list(_entries(content, listed))
    build = _build(store, version)
    head = {
        "project": version.project,
        "version": version.number,
        "against": history.against.number if history.against else None,
        "created": version.created,
        "run": version.run,
        "profile": version.manifest.get("profile"),
        "manifest": version.manifest.get("file"),
    }
    data = head | {
        "schema": SCHEMA,
        "root": destination.root,
        "home": destination.home,
        "types": {row.suffix: row.mime_type for row in FORMATS.values()},
        "cache": destination.root + CACHE,
        "details": DETAILS_IN_A_FILE,
        "models": listed.models,
        "masters": masters,
        "standing": review_state_json(version, events),
    }
    quarantined = [entry for entry in masters if "quarantined" in entry]
    failures = failures_by_asset(build.get("failed") or [], quarantined, version.by_variation)
    without_master = sum(len(failure.sounds) for group in failures.values() for failure in group)
    facts = head | {
        "assets": len({row["asset"] for row in version.masters}),
        "masters": len(version.masters),
        "audio": duration(sum(row["seconds"] for row in version.masters)),
        "bytes": sum(item["size"] for row in version.masters for item in row["files"].values()),
        "build": build,
        "new": sum(1 for master in masters if master["fresh"]),
        "changed": [master for master in masters if master["changes"]],
        "removed": [{"asset": asset, "variation": variation} for asset, variation in history.removed()],
        "quarantined": len(quarantined),
        "failures": failures,
        "failed": without_master - len(quarantined),
        "missed": sum(1 for master in masters if master["missed"]),
        "unmarked": sum(1 for master in masters if master["unmarked"]),
        "stages": stage_bars(build),
        "devices": device_bars(build),
        "compute": compute_bars(records.values(), version.run),
        "growth": size_curve(history.sizes),
        "took": duration(float(build.get("seconds") or 0.0)),
    }
    return render(facts, data).encode()


def _entries(content: _Content, listed: ListEntries) -> Iterator[dict[str, Any]]:
    """The entries of all masters, then those of the quarantined ones."""

    def entry(entries: ListEntries, row: MasterRow) -> dict[str, Any]:
        pcm = row["pcm_sha256"]
        media = {"thumb": content.thumbs.get(pcm, ""), "whole": pcm in content.gapless}
        return entries.entry(row, content.records.get(row["master"])) | media

    for row in content.version.masters:
        yield entry(listed, row)
    beside = replace(listed, history=content.history.with_current(content.version))
    for row in content.quarantined:
        siblings = [other["master"] for other in content.quarantined if other["asset"] == row["asset"]]
        records = [content.records[master] for master in siblings if master in content.records]
        yield entry(beside, row) | quarantine_fields(content.records.get(row["master"]), records)


def _build(store: Store, version: Version) -> dict[str, Any]:
    """The build's ``build.json``; empty if it is missing or damaged."""
    try:
        value = parse_object(store.backend.read(f"catalog/{version.number:06d}/build.json"))
    except (Missing, ValueError):
        return {}
    return value if fields_fault(value, _BuildJson) is None else {}


class _FailedJson(TypedDict):
    asset: str
    variation: int
    stage: str
    reason: str


class _BuildJson(TypedDict):
    failed: list[_FailedJson]
    stages: dict[str, float]
    seconds: float
