"""Seeded damage to stored files: what a crash, a full disk, git, an editor or a newer release leave behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

Damage = Callable[[bytes, Random], bytes]


def truncated(data: bytes, random: Random) -> bytes:
    return data[: random.randrange(1, len(data) - 1)]


def emptied(data: bytes, random: Random) -> bytes:
    return b""


def conflict(data: bytes, random: Random) -> bytes:
    """Both sides of a merge, the other one with a line less."""
    lines = data.splitlines(keepends=True)
    start = random.randrange(len(lines))
    ours, theirs = lines[start:], lines[start + 1 :]
    marked = [b"<<<<<<< HEAD\n", *ours, b"=======\n", *theirs, b">>>>>>> other\n"]
    return b"".join([*lines[:start], *marked])


def not_utf_8(data: bytes, random: Random) -> bytes:
    at = random.randrange(1, len(data) - 1)
    return data[:at] + b"\xff\xfe" + data[at:]


def wrong_type(data: bytes, random: Random) -> bytes:
    def change(value: dict[str, Any]) -> None:
        key = random.choice(sorted(set(value) - {"schema", "comment"}))
        old = value[key]
        value[key] = [old] if isinstance(old, str | dict) else {"value": old}

    return _edited(data, random, change)


def dropped_key(data: bytes, random: Random) -> bytes:
    def change(value: dict[str, Any]) -> None:
        del value[random.choice(sorted(set(value) - {"comment", "gain_group"}))]

    return _edited(data, random, change)


def newer_schema(data: bytes, random: Random) -> bytes:
    def change(value: dict[str, Any]) -> None:
        value["schema"] = value["schema"].partition("/")[0] + "/99"

    return _edited(data, random, change)


def changed_byte(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


TO_ANY: tuple[Damage, ...] = (truncated, emptied, conflict, not_utf_8)
TO_JSON: tuple[Damage, ...] = (*TO_ANY, wrong_type, dropped_key, newer_schema)


def _edited(data: bytes, random: Random, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The JSON object with a change, or the lines of JSON with one in a line of them."""
    try:
        value = json.loads(data)
    except ValueError:
        lines = data.splitlines()
        at = random.randrange(len(lines))
        value = json.loads(lines[at])
        change(value)
        lines[at] = json.dumps(value).encode()
        return b"".join(line + b"\n" for line in lines)
    change(value)
    return json.dumps(value, indent=1).encode()
