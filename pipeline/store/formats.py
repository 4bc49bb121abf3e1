"""Stored JSON names its kind and version; this reads the versions that are known and refuses the others.

Every record is one JSON object with ``"schema": "cuesmith.<name>/<version>"``. When a format changes, its
version rises and a function registered here turns the version before into the new one, so old stores stay
readable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.errors import FormatError, UsageError, VerificationError
from pipeline.store.shapes import shape_fault

Record = dict[str, Any]
Migration = Callable[[Record], Record]

_REPAIR = "run `cuesmith verify --repair`, then build again"
_CONFLICT = re.compile(rb"^(<{7}|={7}|>{7}|\|{7})(?= |\r?$)", re.MULTILINE)
_SCHEMA = re.compile(r"(cuesmith\.[a-z][a-z0-9_.-]*)/([1-9][0-9]{0,8})")
_MIGRATIONS: dict[tuple[str, int], Migration] = {}


class NewerFormatError(FormatError):
    """A stored file was written by a newer release."""


def migration(name: str, version: int) -> Callable[[Migration], Migration]:
    """Register a function that turns a record of ``name`` from ``version`` into ``version + 1``.

    It gets a dict that it may change, and need not touch ``schema``.
    """

    def register(function: Migration) -> Migration:
        if (name, version) in _MIGRATIONS:
            raise UsageError(f"{name}/{version} has a migration already; remove one of the two")
        _MIGRATIONS[name, version] = function
        return function

    return register


def dump_record(record: Mapping[str, Any]) -> bytes:
    """``record`` as JSON text: keys sorted, one a line, UTF-8. Equal records give equal bytes.

    Raises `UsageError` when it names no schema or holds what JSON cannot (NaN, infinities, other types).
    """
    _split(record.get("schema"), "this record")
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False, sort_keys=True, indent=1)
        return text.encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise UsageError(f"a record of {record['schema']} cannot be stored as JSON: {error}") from error


def parse_object(data: bytes) -> Record:
    """The JSON object in ``data``. Raises `ValueError` that says in words why there is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(_why_no_json(data, error)) from error
    if not isinstance(value, dict):
        raise ValueError("it holds no JSON object")
    return value


def _why_no_json(data: bytes, error: Exception) -> str:
    if (conflict := _CONFLICT.search(data)) is not None:
        line = data.count(b"\n", 0, conflict.start()) + 1
        return f"git left a merge conflict in line {line}"
    if not data.strip():
        return "the file is empty"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return "its values are nested too deeply" if isinstance(error, RecursionError) else str(error)


def load_record(data: bytes, where: str) -> Record:
    """The JSON object in ``data``, of any schema. Raises `VerificationError` where it is not one."""
    try:
        return parse_object(data)
    except ValueError as error:
        raise VerificationError(f"{where} is damaged: {error}; {_REPAIR}") from error


def read_record(data: bytes, schema: str, where: str, shape: Any = None) -> Record:
    """The record in ``data``, brought up to ``schema`` (such as ``cuesmith.take/2``).

    ``where`` names the file in errors. Raises `FormatError` for another name or a newer version, and
    `VerificationError` for what is no JSON object or has not the ``shape`` (a `TypedDict`).
    """
    record = load_record(data, where)
    try:
        record = migrate(record, schema, where)
    except (KeyError, TypeError, AttributeError) as error:
        raise VerificationError(f"{where} is damaged: {error!r}; {_REPAIR}") from error
    if shape is not None and (fault := shape_fault(record, shape)) is not None:
        raise VerificationError(f"{where} is damaged: {fault}; {_REPAIR}")
    return record


def schema_of(record: Record, where: str) -> tuple[str, int]:
    """Name and version of the format that ``record`` names. Raises `FormatError` where it names none."""
    return _split(record.get("schema"), where)


def migrate(record: Record, schema: str, where: str) -> Record:
    """``record`` as it is under ``schema`` (such as ``cuesmith.take/2``). Raises `FormatError` as `read_record`."""
    name, version = _split(schema, where)
    found_name, found = schema_of(record, where)
    if found_name != name:
        raise FormatError(f"{where} holds {found_name}, not {name}; was it moved by hand? Put it back")
    if found > version:
        raise NewerFormatError(
            f"{where} was written by a newer cuesmith ({name}/{found}; this one reads up to /{version}); "
            "update cuesmith"
        )
    for step in range(found, version):
        migrate = _MIGRATIONS.get((name, step))
        if migrate is None:
            raise FormatError(
                f"{where} has the old format {name}/{step}, which this cuesmith no longer reads; build again"
            )
        record = {**migrate(record), "schema": f"{name}/{step + 1}"}
    return record


def _split(schema: object, where: str) -> tuple[str, int]:
    match = _SCHEMA.fullmatch(schema) if isinstance(schema, str) else None
    if match is None:
        raise FormatError(
            f'{where} names no cuesmith format: "schema" is {schema!r}, not like "cuesmith.take/1"; '
            "make it again: cuesmith verify --repair"
        )
    return match[1], int(match[2])
