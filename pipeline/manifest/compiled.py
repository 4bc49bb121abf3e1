"""A cache of loaded manifests beside the store: with it, `plan` of 1,000 variations takes three quarters of the time.

One file a manifest and profile: a line with the SHA-256 of the rest, then JSON with the release that wrote it, the
project and every file that it was read from. It counts only while the release is the same and each of those files has
the same path and the same bytes; anything else, from a changed include to a damaged entry, loads the manifest itself.
Problems are never stored.

The JSON is exact: every number keeps its type, equal parts stay one object. A value of a type of `spec` is an object
with one key, the type's name, and the list of its fields.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pipeline import __version__
from pipeline.manifest import lazy_imports, spec
from pipeline.manifest.spec import AssetSpec, Project

if TYPE_CHECKING:
    from pipeline.manifest.structure import EngineKeysSource


_TYPES: dict[str, Any] = {name: kind for name, kind in vars(spec).items() if is_dataclass(kind)}


def pack(value: Any) -> bytes:
    """JSON of a value in which there may be projects."""
    return json.dumps(value, default=_packed, separators=(",", ":")).encode()


def unpack(body: bytes) -> Any:
    """The inverse of `pack`."""
    return json.loads(body, object_hook=_unpacked)


def _packed(value: Any) -> dict[str, list[Any]]:
    return {type(value).__name__: [getattr(value, field.name) for field in fields(value)]}


def _unpacked(value: dict[str, Any]) -> Any:
    """The inverse of `_packed`; other objects stay: their keys are in small letters, names of types are not."""
    name = next(iter(value), "")
    if name not in _TYPES:
        return value
    if name == "Project":  # The lists in its policy stay lists.
        return Project(*[_frozen(item) if isinstance(item, list) else item for item in value[name]])
    values = map(_frozen, value[name])
    return AssetSpec(*values) if name == "AssetSpec" else _part(name, *values)


@lru_cache(maxsize=4096, typed=True)
def _part(name: str, *values: Any) -> Any:
    """A value of a type in `_TYPES`; equal ones are one object."""
    return _TYPES[name](*values)


def _frozen(value: Any) -> Any:
    """``value`` with tuples in place of lists."""
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    return {name: _frozen(inner) for name, inner in value.items()} if isinstance(value, dict) else value


_FORMAT = "cuesmith.compiled/10"


def load_cached(
    path: Path, profile: str | None, folder: Path | None, engine_keys: EngineKeysSource
) -> Project:
    """As `loader.load`, from the cache in ``folder`` if it has the project; None for no cache."""
    entry = _entry(path, profile, folder) if folder else None
    release = [__version__, sys.version, getattr(engine_keys, "__qualname__", ""), *_our_sources()]
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


def _read(entry: Path, release: list[str]) -> Project | None:
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
