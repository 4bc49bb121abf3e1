"""Stored JSON names its format and version; this reads the known version, refuses the others and checks shapes.

Every record is one JSON object with ``"schema": "cuesmith.<name>/<version>"``. When a format changes, its
version rises. Keys that a shape does not name are fine: later releases add some.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from pipeline.errors import FormatError, UsageError, VerificationError

Fault = tuple[str, str]
"""Dotted path of the value that is wrong (empty for the value as a whole), and what is wrong with it."""
_Check = Callable[[Any], Fault | None]
_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}
Record = dict[str, Any]
_REPAIR = "run `cuesmith verify --repair`, then build again"
_CONFLICT = re.compile(rb"^(<{7}|={7}|>{7}|\|{7})(?= |\r?$)", re.MULTILINE)
_SCHEMA = re.compile(r"(cuesmith\.[a-z][a-z0-9_.-]*)/([1-9][0-9]{0,8})")


class NewerFormatError(FormatError):
    """A stored file was written by a newer release."""


def dump_record(record: Mapping[str, Any]) -> bytes:
    """``record`` as JSON text in UTF-8 with sorted keys, one on each line. Equal records give equal bytes.

    Raises `UsageError` when it names no schema or holds what JSON cannot store (NaN, infinities, other types).
    """
    _split(record.get("schema"), "this record")
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False, sort_keys=True, indent=1)
        return text.encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise UsageError(f"a record of {record['schema']} cannot be stored as JSON: {error}") from error


def parse_object(data: bytes) -> Record:
    """The JSON object in ``data``. Raises `ValueError` with the reason in words where there is none."""
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
    """The record in ``data``, which has the format ``schema`` (such as ``cuesmith.take/1``).

    ``where`` names the file in errors. Raises `FormatError` for another name or version, and
    `VerificationError` for data that is no JSON object or does not have the ``shape`` (a `TypedDict`).
    """
    record = load_record(data, where)
    check_schema(record, schema, where)
    if shape is not None and (fault := shape_fault(record, shape)) is not None:
        raise VerificationError(f"{where} is damaged: {fault}; {_REPAIR}")
    return record


def schema_of(record: Record, where: str) -> tuple[str, int]:
    """Name and version of the format that ``record`` names. Raises `FormatError` where it names none."""
    return _split(record.get("schema"), where)


def check_schema(record: Record, schema: str, where: str) -> None:
    """Raises `FormatError` unless ``record`` has the format ``schema``."""
    name, version = _split(schema, where)
    stored_name, stored_version = schema_of(record, where)
    if stored_name != name:
        raise FormatError(f"{where} holds {stored_name}, not {name}; was it moved by hand? Put it back")
    if stored_version > version:
        raise NewerFormatError(
            f"{where} was written by a newer cuesmith ({name}/{stored_version}; this one reads up to /{version}); "
            "update cuesmith"
        )
    if stored_version < version:
        raise FormatError(
            f"{where} has the old format {name}/{stored_version}, which this cuesmith no longer reads; build again"
        )


def _split(schema: object, where: str) -> tuple[str, int]:
    match = _SCHEMA.fullmatch(schema) if isinstance(schema, str) else None
    if match is None:
        raise FormatError(
            f'{where} names no cuesmith format: "schema" is {schema!r}, not like "cuesmith.take/1"; '
            "make it again: cuesmith verify --repair"
        )
    return match[1], int(match[2])


def shape_fault(value: Any, shape: Any) -> str | None:
    """The first difference between ``value`` and ``shape`` (a `TypedDict`) in words; None where it has the shape.

    >>> from typing import TypedDict
    >>> Sound = TypedDict("Sound", {"name": str, "seconds": float})
    >>> shape_fault({"name": "rain", "seconds": 2}, Sound)
    >>> shape_fault({"name": "rain", "seconds": "2"}, Sound)
    "seconds: '2' is not a number"
    """
    fault = _check(shape)(value)
    return None if fault is None else _at_path(*fault)


def fields_fault(value: dict[str, Any], shape: Any) -> str | None:
    """As `shape_fault`, for an object that has only some of the keys."""
    for key, check, _ in _fields(shape):
        if key in value and (fault := check(value[key])) is not None:
            return _at_path(f".{key}{fault[0]}", fault[1])
    return None


def _at_path(path: str, what: str) -> str:
    return f"{path.removeprefix('.')}: {what}" if path else what


@lru_cache(maxsize=512)
def _check(annotation: Any) -> _Check:
    """A function that checks one value; made once for each annotation, because a catalog has many rows."""
    origin, parts = get_origin(annotation), get_args(annotation)
    check: _Check
    if annotation is Any:
        check = _accept
    elif is_typeddict(annotation):
        check = _check_keys(annotation)
    elif origin in (Union, UnionType):
        check = _check_choices([_check(part) for part in parts])
    elif origin is Literal:
        check = _check_words(parts)
    elif origin is list:
        check = _check_items(list, "a list", enumerate, _check(parts[0]))
    elif origin is dict:
        check = _check_items(dict, "a JSON object", dict.items, _check(parts[1]))
    else:
        check = _check_type(annotation)
    return check


def _accept(value: Any) -> None:
    """Anything is fine."""


def _check_type(expected: type) -> _Check:
    types = (float, int) if expected is float else (expected,)

    def check(value: Any) -> Fault | None:
        # Exact types: in Python, True and False are integers too.
        return None if type(value) in types else ("", _is_not(value, _WORDS[expected]))

    return check


def _check_words(words: tuple[str, ...]) -> _Check:
    def check(value: Any) -> Fault | None:
        return None if type(value) is str and value in words else ("", _is_not(value, " or ".join(words)))

    return check


@lru_cache(maxsize=64)
def _fields(shape: Any) -> list[tuple[str, _Check, bool]]:
    """Each key, the check of its value, and whether the key may be left out."""
    fields = []
    for key, annotation in get_type_hints(shape, include_extras=True).items():
        optional = get_origin(annotation) is NotRequired
        fields.append((key, _check(get_args(annotation)[0] if optional else annotation), optional))
    return fields


def _check_keys(shape: Any) -> _Check:
    def check(value: Any) -> Fault | None:
        if type(value) is not dict:
            return "", _is_not(value, "a JSON object")
        # Looked up here, not in the outer function: a shape may contain itself.
        for key, inner, optional in _fields(shape):
            if key not in value:
                if optional:
                    continue
                return "", f"{key!r} is missing"
            if (fault := inner(value[key])) is not None:
                return f".{key}{fault[0]}", fault[1]
        return None

    return check


def _check_choices(checks: list[_Check]) -> _Check:
    def check(value: Any) -> Fault | None:
        faults = [inner(value) for inner in checks]
        return None if None in faults else faults[0]

    return check


def _check_items(
    expected: type, what: str, items: Callable[[Any], Iterable[tuple[Any, Any]]], inner: _Check
) -> _Check:
    def check(value: Any) -> Fault | None:
        if type(value) is not expected:
            return "", _is_not(value, what)
        for key, item in items(value):
            if (fault := inner(item)) is not None:
                place = f"[{key}]" if expected is list else f".{key}"
                return place + fault[0], fault[1]
        return None

    return check


def _is_not(value: Any, what: str) -> str:
    return f"{_short(value)} is not {what}"


def _short(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
