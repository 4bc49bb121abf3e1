"""Make the report of one version: read its records, prepare media, write the page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from pipeline.catalog import LATEST, Catalog, Quarantine, Reviews, Version, read_quarantine, review_state
from pipeline.errors import UsageError
from pipeline.provenance import MASTER_SCHEMA, MasterRecord, MasterRow
from pipeline.report.entries import (
    History,
    Models,
    details,
    entry,
    quarantined,
    read_history,
    removed,
    sounds,
    standing_of,
)
from pipeline.report.media import CACHE, prepare_media, script, sidecar_key
from pipeline.report.page import compute_bars, deviation_bars, duration, render, size_curve, stage_bars
from pipeline.store import Missing, ObjectRef, Store, disk, fields_fault, parse_object, translate_os_errors

SCHEMA = "cuesmith.report/1"
DETAILS_IN_A_FILE = 100

_UP = "../../"


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written."""

    version: int
    against: int | None
    masters: int
    quarantined: int
    """Masters that failed a quality gate; the report plays them too."""
    key: str
    """Key of the page in the store."""
    path: Path | None
    """Path of the page on this machine."""
    html_bytes: int
    without_pictures: tuple[str, ...]
    """Names of masters whose sound cannot be read; the page has no pictures or loops of them."""
    seconds: float


def write_report(
    store: Store,
    number: int | None = None,
    *,
    against: int | None = None,
    folder: Path | None = None,
) -> Report:
    """Write the report of version ``number`` (default: the latest), compared with ``against`` (its parent).

    The latest version's report also plays what is quarantined now; before anything is published it is a report
    of that alone, as version 0. It lies in the store's ``reports/`` and links to the store's objects; with
    ``folder`` it lies there with copies of all that it plays and can be sent away. Raises `UsageError` where
    there is neither a version nor anything quarantined, or where a version is compared with itself, and the
    store's errors.
    """
    began = time.monotonic()
    catalog = Catalog(store)
    version, held = _reported(catalog, number)
    if against == version.number:
        raise UsageError(
            f"version {against} cannot be compared with itself; choose another version with --against"
        )
    history = read_history(catalog, version, against)
    beside = history.with_current(version)
    wanted = {row["master"] for row in (*version.masters, *held)}
    records = dict(store.get_records("masters", wanted, MASTER_SCHEMA, MasterRecord))
    played = sounds(version.masters, history) + sounds(held, beside)
    thumbs, without_pictures = prepare_media(store, played)
    shipment = _Shipment(store, version, folder)
    for sound in played:
        shipment.copy(sound.object.key)
        shipment.copy(sidecar_key(sound.pcm))
        if sound.whole:
            shipment.copy(sidecar_key(sound.pcm, ".loop"))
    typed: dict[str, MasterRecord] = records  # type: ignore[assignment]
    shipment.details((*version.masters, *held), typed)
    page = _page(store, version, held, history, typed, thumbs, {s.pcm for s in played if s.whole}, shipment)
    key = shipment.put("index.html", page)
    return Report(
        version.number,
        history.against.number if history.against else None,
        len(version.masters),
        len(held),
        key,
        shipment.path("index.html"),
        len(page),
        without_pictures,
        round(time.monotonic() - began, 3),
    )


def _reported(catalog: Catalog, number: int | None) -> tuple[Version, tuple[MasterRow, ...]]:
    """The version to report and what is quarantined beside it: that is the present, so only the latest shows it."""
    version = catalog.latest() if number is None else catalog.read(number)
    found: Quarantine | None = read_quarantine(catalog.store)
    held = found.masters if found else ()
    if version is None and found is not None and held:
        return found.as_version(), held
    if version is None:
        raise UsageError(f"no catalog in {catalog.store.root}; make one: cuesmith build")
    is_latest = number is None or any(
        channel["name"] == LATEST and channel["version"] == number for channel in catalog.channels.readable()
    )
    return version, held if is_latest else ()


class _Shipment:
    """Where the report's files go: into the store's ``reports/``, or with all that they need into a folder."""

    def __init__(self, store: Store, version: Version, folder: Path | None) -> None:
        self._store = store
        self._version = version
        self._folder = folder
        self._home = f"reports/{version.number:06d}"
        self.root = _UP if folder is None else ""

    def locate(self, ref: ObjectRef) -> str:
        """Where the page finds an object."""
        return self.root + ref.key

    def copy(self, key: str) -> None:
        """Put a file of the store beside the page."""
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
        """The file of `put` where it lies on this machine."""
        if self._folder is not None:
            return self._folder / name
        return self._store.backend.local_path(f"{self._home}/{name}")

    def details(self, rows: Sequence[MasterRow], records: dict[str, MasterRecord]) -> None:
        """Write what open masters show, many to a file."""
        for number, first in enumerate(range(0, len(rows), DETAILS_IN_A_FILE)):
            part = [
                details(row, records.get(row["master"])) for row in rows[first : first + DETAILS_IN_A_FILE]
            ]
            self.put(f"details-{number:03d}.js", script("details", f"{number:03d}", part))


def _write(path: Path, data: bytes) -> None:
    """Write a file of a report that is sent away, unless it is there and whole."""
    with translate_os_errors("write", str(path)):
        if path.is_file() and path.read_bytes() == data:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        disk.write_over(path, data)


def _page(
    store: Store,
    version: Version,
    held: Sequence[MasterRow],
    history: History,
    records: dict[str, MasterRecord],
    thumbs: dict[str, str],
    whole: set[str],
    shipment: _Shipment,
) -> bytes:
    events = Reviews(store).events()
    approved = review_state(events).approved
    models = Models()
    masters = [
        entry(row, records.get(row["master"]), models, history, approved, shipment.locate)
        | {"thumb": thumbs.get(row["pcm_sha256"], ""), "whole": row["pcm_sha256"] in whole}
        for row in version.masters
    ]
    beside = history.with_current(version)
    masters += [
        entry(row, records.get(row["master"]), models, beside, approved, shipment.locate)
        | {"thumb": thumbs.get(row["pcm_sha256"], ""), "whole": row["pcm_sha256"] in whole}
        | quarantined(records.get(row["master"]))
        for row in held
    ]
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
    gone = [
        {"asset": asset, "variation": variation} for asset, variation in removed(version, history.against)
    ]
    data = head | {
        "schema": SCHEMA,
        "root": shipment.root,
        "cache": shipment.root + CACHE,
        "details": DETAILS_IN_A_FILE,
        "models": models.listed,
        "masters": masters,
        "standing": standing_of(version, events),
    }
    facts = head | {
        "assets": len({row["asset"] for row in version.masters}),
        "masters": len(version.masters),
        "audio": duration(sum(row["seconds"] for row in version.masters)),
        "bytes": sum(item["size"] for row in version.masters for item in row["files"].values()),
        "build": build,
        "new": sum(1 for one in masters if one["fresh"]),
        "changed": [one for one in masters if one["changes"]],
        "removed": gone,
        "quarantined": len(held),
        "failed": build.get("failed") or [],
        "stages": stage_bars(build),
        "compute": compute_bars(records.values(), version.run),
        "deviation": deviation_bars(version.masters),
        "growth": size_curve(history.sizes),
        "took": duration(float(build.get("seconds") or 0.0)),
    }
    return render(facts, data).encode()


def _build(store: Store, version: Version) -> dict[str, Any]:
    """What the build wrote of itself beside its version; empty where it wrote nothing that can be read."""
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
