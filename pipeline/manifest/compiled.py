"""A cache of loaded manifests beside the store: with it, `plan` of 1,000 variations takes three quarters of the time.

One file a manifest and profile: a line with the SHA-256 of the rest, then JSON with the release that wrote it, the
project and every file that it was read from. It counts only while the release is the same and each of those files has
the same path and the same bytes; anything else, from a changed include to a damaged entry, loads the manifest itself.
Problems are never stored.

The JSON is exact: every number keeps its type, equal parts stay one object. An asset is a list of its fields in the
order of `AssetSpec`; a field with another type of `spec` is its index in ``parts``, a list that has each part once
as the name of its type and its fields.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import astuple, fields
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import __version__
from pipeline.errors import Problem
from pipeline.licenses import LicenseDeclaration
from pipeline.manifest import lazy_imports
from pipeline.manifest.spec import (
    AssetSpec,
    AudioInput,
    DeliverySpec,
    MasteringSpec,
    Project,
    QualitySpec,
    ScoreSpec,
    SourceRef,
    Ucs,
)

if TYPE_CHECKING:
    from pipeline.manifest.structure import EngineKeysSource


_FIELDS = tuple(field.name for field in fields(AssetSpec))
_TUPLES = (_FIELDS.index("tags"), _FIELDS.index("was"))
_PARTS = tuple(_FIELDS.index(name) for name in ("ucs", "mastering", "delivery", "source", "quality"))
_ENGINE_KEYS = _FIELDS.index("engine_keys")
_SCORES = _FIELDS.index("scores")
_TYPES: dict[str, Any] = {
    kind.__name__: kind for kind in (DeliverySpec, MasteringSpec, QualitySpec, SourceRef, Ucs)
}


def pack(project: Project) -> dict[str, Any]:
    """``project`` as a JSON value."""
    places: dict[int, int] = {}
    parts: list[list[Any]] = []
    read = attrgetter(*_FIELDS)
    assets = []
    for asset in project.assets:
        row = list(read(asset))
        for column in _PARTS:
            part = row[column]
            if part is None:
                continue
            place = places.setdefault(id(part), len(parts))
            if place == len(parts):
                parts.append([type(part).__name__, *(getattr(part, field.name) for field in fields(part))])
            row[column] = place
        row[_ENGINE_KEYS] = _packed(row[_ENGINE_KEYS])
        row[_SCORES] = [astuple(score) for score in row[_SCORES]]
        assets.append(row)
    plain = {field.name: getattr(project, field.name) for field in fields(project)}
    warnings = [astuple(warning) for warning in project.warnings]
    declared = project.license and project.license.to_json()
    return {**plain, "warnings": warnings, "license": declared, "parts": parts, "assets": assets}


def unpack(value: dict[str, Any]) -> Project:
    """The inverse of `pack`."""
    parts = [_TYPES[kind](*map(_frozen, values)) for kind, *values in value.pop("parts")]
    assets = []
    for row in value["assets"]:
        for column in _TUPLES:
            row[column] = _frozen(row[column])
        for column in _PARTS:
            if row[column] is not None:
                row[column] = parts[row[column]]
        row[_ENGINE_KEYS] = _unpacked(row[_ENGINE_KEYS])
        row[_SCORES] = tuple(ScoreSpec(*score) for score in row[_SCORES])
        assets.append(AssetSpec(*row))
    warnings = tuple(Problem(*warning) for warning in value["warnings"])
    promotion = _frozen(value["promotion"])
    declared = LicenseDeclaration.from_json(value["license"]) if value["license"] else None
    changed = {"assets": tuple(assets), "warnings": warnings, "promotion": promotion, "license": declared}
    return Project(**{**value, **changed})


def _frozen(value: Any) -> Any:
    """``value`` with tuples in place of lists."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


_FORMAT = "cuesmith.compiled/9"


def load_cached(
    path: Path,
    profile: str | None,
    folder: Path,
    engine_keys: EngineKeysSource = lazy_imports.no_engine_keys,
) -> Project:
    """As `load`, from the cache in ``folder`` if it has the project. Raises what `load` raises."""
    entry = _entry(path, profile, folder)
    release = [__version__, sys.version, getattr(engine_keys, "__qualname__", ""), *_our_sources()]
    known = _read(entry, release) if entry else None
    if known is not None:
        return known
    project, files = lazy_imports.load_with_files(path, profile, engine_keys)
    if entry:
        read = [(file.named, file.path, file.sha256) for file in files]
        _write(entry, {"release": release, "files": read, "project": pack(project)})
    return project


def _entry(path: Path, profile: str | None, folder: Path) -> Path | None:
    """The file of the cache; None if the manifest's own path cannot be resolved."""
    with contextlib.suppress(OSError, RuntimeError):
        inputs = (_FORMAT, str(path.parent.resolve()), str(path), profile)
        return folder / f"{_checksum(json.dumps(inputs).encode()).decode()}.json"
    return None


def _our_sources() -> Iterator[str]:
    """Files that define the language, with their sizes and times: a change of one in a checkout counts at once."""
    room = Path(__file__).parent
    for path in sorted([*room.glob("*.py"), *room.parent.glob("generators/*/manifest_keys.py")]):
        status = path.stat()
        yield f"{path} {status.st_size} {status.st_mtime_ns}"


def _read(entry: Path, release: list[str]) -> Project | None:
    """The project in ``entry``, if the file is complete, from this ``release`` and still valid."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        head, _, body = entry.read_bytes().partition(b"\n")
        if head == _checksum(body):
            value = json.loads(body)
            if value["release"] == release and all(_unchanged(*file) for file in value["files"]):
                return unpack(value["project"])
    return None


def _unchanged(named: str, path: str, sha256: str) -> bool:
    """Whether ``named`` still resolves to ``path``, and that file has the same bytes."""
    if os.path.realpath(named) != path or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _write(entry: Path, value: dict[str, Any]) -> None:
    """Store what was loaded. A cache that cannot be written is not an error."""
    body = json.dumps(value, separators=(",", ":")).encode()
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        # Not atomic: a reader compares the hash, so that it ignores an incomplete file.
        entry.write_bytes(_checksum(body) + b"\n" + body)
    except OSError:
        with contextlib.suppress(OSError):
            entry.unlink()


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


def _packed(value: Any) -> Any:
    """A value of an engine's key as JSON; an audio file and a list are lists that start with their type."""
    if isinstance(value, AudioInput):
        return ["audio", value.name, value.path, value.sha256]
    if isinstance(value, tuple):
        return ["list", *map(_packed, value)]
    if isinstance(value, Mapping):
        return {name: _packed(inner) for name, inner in value.items()}
    return value


def _unpacked(value: Any) -> Any:
    """The inverse of `_packed`."""
    if isinstance(value, dict):
        return {name: _unpacked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        kind, *items = value
        return AudioInput(*items) if kind == "audio" else tuple(map(_unpacked, items))
    return value
