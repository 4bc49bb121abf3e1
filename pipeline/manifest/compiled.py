"""A cache of loaded manifests beside the store: with it, `plan` of 1,000 variations takes three quarters of the time.

One file a manifest and profile: a line with the SHA-256 of the rest, then JSON with the release that wrote it, the
project and every file that it was read from. It counts only while the release is the same and each of those files has
the same path and the same bytes; anything else, from a changed include to a damaged entry, loads the manifest itself.
Problems are never stored.

The JSON is exact: every number keeps its type, and a part that assets share stays one object. A part, such as an asset
or its delivery, is a list: the name of its type in `spec`, then its fields.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pipeline import __version__
from pipeline.manifest import lazy_imports, spec
from pipeline.manifest.spec import Project

if TYPE_CHECKING:
    from pipeline.manifest.structure import EngineKeysSource


_TYPES: dict[str, Any] = {name: kind for name, kind in vars(spec).items() if is_dataclass(kind)}
_PLACE = "\0"
"""The key of an object that stands for a part: its place among the parts. YAML has no such character."""


def pack(value: Any) -> bytes:
    """A JSON list: the parts of ``value`` that have a type of `spec`, inner ones before outer ones; then ``value``."""
    parts: list[str] = []
    places: dict[int, int] = {}

    def packed(part: Any) -> dict[str, int]:
        if id(part) not in places:
            text = encode([type(part).__name__, *(getattr(part, field.name) for field in fields(part))])
            places[id(part)] = len(parts)
            parts.append(text)
        return {_PLACE: places[id(part)]}

    encode = json.JSONEncoder(default=packed, separators=(",", ":")).encode
    text = encode(value)
    return f"[{','.join([*parts, text])}]".encode()


def unpack(body: bytes) -> Any:
    """The inverse of `pack`."""
    parts: list[Any] = []

    def unpacked(value: Any, kind: str = "") -> Any:
        if isinstance(value, list):
            return tuple([unpacked(inner) for inner in value])
        if not isinstance(value, dict):
            return value
        if _PLACE in value:
            return parts[value[_PLACE]]
        # The policy of a project has lists, not tuples.
        return value if kind == "Project" else {name: unpacked(inner) for name, inner in value.items()}

    *packed, last = json.loads(body)
    for kind, *values in packed:
        parts.append(
            _TYPES[kind](
                *[unpacked(value, kind) if isinstance(value, list | dict) else value for value in values]
            )
        )
    return unpacked(last)


_FORMAT = "cuesmith.compiled/10"


def load_cached(
    path: Path, profile: str | None, folder: Path | None, engine_keys: EngineKeysSource
) -> Project:
    """As `loader.load`, from the cache in ``folder`` if it has the project; None for no cache."""
    entry = _entry(path, profile, folder) if folder else None
    release = (__version__, sys.version, getattr(engine_keys, "__qualname__", ""), *_our_sources())
    known = _read(entry, release) if entry else None
    if known is not None:
        return known
    project, files = lazy_imports.loader.load_with_files(path, profile, engine_keys)
    if entry:
        _write(entry, pack({"release": release, "files": files, "project": project}))
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


def _read(entry: Path, release: tuple[str, ...]) -> Project | None:
    """The project in ``entry``, if the file is complete, from this ``release`` and still valid."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        head, _, body = entry.read_bytes().partition(b"\n")
        if head == _checksum(body):
            value = unpack(body)
            if value["release"] == release and all(_unchanged(*file) for file in value["files"]):
                return cast(Project, value["project"])
    return None


def _unchanged(named: str, path: str, sha256: str) -> bool:
    """Whether ``named`` still resolves to ``path``, and that file has the same bytes."""
    if os.path.realpath(named) != path or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _write(entry: Path, body: bytes) -> None:
    """Store what was loaded. A cache that cannot be written is not an error."""
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        # Not atomic: a reader compares the hash, so that it ignores an incomplete file.
        entry.write_bytes(_checksum(body) + b"\n" + body)
    except OSError:
        with contextlib.suppress(OSError):
            entry.unlink()


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
