"""Whether a JSON value has the shape that a typed dictionary describes: keys, types, list items."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

Fault = tuple[str, str]
"""Dotted path of the value that is wrong (empty for the value as a whole), and what is wrong with it."""
_Check = Callable[[Any], Fault | None]

_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", NoneType: "null"}


def shape_fault(value: Any, shape: Any) -> str | None:
    """The first way in which ``value`` is not as ``shape`` (a `TypedDict`) says; None where it is. More keys are fine.

    >>> from typing import TypedDict
    >>> Sound = TypedDict("Sound", {"name": str, "seconds": float})
    >>> shape_fault({"name": "rain", "seconds": 2}, Sound)
    >>> shape_fault({"name": "rain", "seconds": "2"}, Sound)
    "seconds: '2' is not a number"
    """
    fault = _check(shape)(value)
    return None if fault is None else _say(*fault)


def fields_fault(value: dict[str, Any], shape: Any) -> str | None:
    """As `shape_fault` for an object that has only some of the keys."""
    for key, check, _ in _fields(shape):
        if key in value and (fault := check(value[key])) is not None:
            return _say(f".{key}{fault[0]}", fault[1])
    return None


def _say(path: str, what: str) -> str:
    return f"{path.removeprefix('.')}: {what}" if path else what


@lru_cache(maxsize=512)
def _check(annotation: Any) -> _Check:
    """A function that checks one value; made once for each annotation, since a catalog holds many rows."""
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
        check = _check_items(_check(parts[0]))
    elif origin is dict:
        check = _check_values(_check(parts[1]))
    else:
        check = _check_type(annotation)
    return check


def _accept(value: Any) -> None:
    """Anything is fine."""


def _check_type(wanted: type) -> _Check:
    types = (float, int) if wanted is float else (wanted,)

    def check(value: Any) -> Fault | None:
        # Exact types: in Python, true and false are whole numbers as well.
        return None if type(value) in types else ("", _is_not(value, _WORDS[wanted]))

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
        # Read here and not once before: a shape may hold itself.
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


def _check_items(inner: _Check) -> _Check:
    def check(value: Any) -> Fault | None:
        if type(value) is not list:
            return "", _is_not(value, "a list")
        for index, item in enumerate(value):
            if (fault := inner(item)) is not None:
                return f"[{index}]{fault[0]}", fault[1]
        return None

    return check


def _check_values(inner: _Check) -> _Check:
    def check(value: Any) -> Fault | None:
        if type(value) is not dict:
            return "", _is_not(value, "a JSON object")
        for key, item in value.items():
            if (fault := inner(item)) is not None:
                return f".{key}{fault[0]}", fault[1]
        return None

    return check


def _is_not(value: Any, what: str) -> str:
    return f"{_short(value)} is not {what}"


def _short(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
