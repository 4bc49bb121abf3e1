"""Lists, mappings and groups of keys: how they are read, with every fault in them, and their JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias

from pipeline.manifest.problems import Fault, Location
from pipeline.manifest.values import JsonSchema, nothing, shape

Effect = Literal["takes", "decoding", "masters", "signatures", "labels", "catalog"]
"""What a build makes again after a change: takes by the model, audio from stored codes, masters from stored takes,
signatures of files, labels of rows, or only other facts of the catalog."""


class Missing(Fault):
    """A required key that is not written."""


class UnknownKey(Fault):
    """A key that its group does not have."""

    def __init__(self, group: Group, key: str) -> None:
        super().__init__("unknown key", "")
        self.group = group
        self.key = key


Faults = list[tuple[Location, Fault]]
"""What is wrong, with its place beneath the value that is read."""
BAD = object()
"""In place of a value that cannot be read."""


class Reader(Protocol):
    """Reads one value."""

    def read(self, value: object) -> Any:
        """The value. Raises `Fault`."""
        ...

    def schema(self) -> JsonSchema:
        """JSON Schema of everything that `read` takes."""
        ...


AnyReader: TypeAlias = "Reader | ListOf | MapOf | Group"


def read_value(reader: AnyReader, value: object, place: Location, faults: Faults) -> Any:
    """``value`` as ``reader`` reads it, or `BAD`."""
    try:
        if isinstance(reader, ListOf | MapOf | Group):
            return reader.read_parts(value, place, faults)
        return reader.read(value)
    except Fault as fault:
        faults.append((place, fault))
        return BAD


_EMPTY = "write at least one value, or remove the line"
_MAPPING = "write key: value lines beneath it"


def _not_a(kind: str, value: object, remedy: str) -> Fault:
    return nothing("one") if value is None else Fault(f"is {shape(value)}, not a {kind}", remedy)


def _either(kind: str, structure: JsonSchema, otherwise: JsonSchema) -> JsonSchema:
    """JSON Schema of a list or mapping, or another way to write it; unlike ``anyOf`` it names the part at fault."""
    return {"if": {"type": kind}, "then": structure, "else": otherwise}


@dataclass(frozen=True)
class ListOf:
    """A list."""

    item: AnyReader
    most: int
    least: int = 0
    unique: bool = False
    """For editors; the loader has its own message."""
    alone: bool = False
    """Whether one item may be written without a list."""
    nullable: bool = False
    """Whether an empty value is an empty list."""

    def read_parts(self, value: object, place: Location, faults: Faults) -> Any:
        """The items as a tuple; `BAD` if any of them is. Raises `Fault` for another structure."""
        if value is None and self.nullable:
            return ()
        if self.alone and isinstance(value, str):
            value = [value]
        if not isinstance(value, list):
            raise _not_a("list", value, "write [a, b] or one value a line, each after '- '")
        if len(value) > self.most:
            raise Fault(f"has {len(value):,} values", f"shorten it to {self.most:,} or fewer")
        if len(value) < self.least:
            raise Fault("is empty", _EMPTY)
        items = [read_value(self.item, item, (*place, index), faults) for index, item in enumerate(value)]
        return BAD if any(item is BAD for item in items) else tuple(items)

    def schema(self) -> JsonSchema:
        """JSON Schema of the list, and of one item if that is allowed."""
        schema: JsonSchema = {"type": "array", "items": self.item.schema(), "maxItems": self.most}
        schema |= {"minItems": self.least} if self.least else {}
        schema |= {"uniqueItems": True} if self.unique else {}
        if self.nullable:
            schema["type"] = ["array", "null"]
        return _either("array", schema, self.item.schema()) if self.alone else schema


@dataclass(frozen=True)
class MapOf:
    """A mapping with free names."""

    value: AnyReader
    least: int = 0
    nullable: bool = False
    """Whether an empty value is an empty mapping."""
    names: str = ""
    """Pattern of the names for editors; the loader has its own messages."""

    def read_parts(self, value: object, place: Location, faults: Faults) -> Any:
        """Name to value, without the values that cannot be read. Raises `Fault` for another structure."""
        if value is None and self.nullable:
            return {}
        if not isinstance(value, dict):
            raise _not_a("mapping", value, _MAPPING)
        if len(value) < self.least:
            raise Fault("is empty", _EMPTY)
        read = {name: read_value(self.value, item, (*place, name), faults) for name, item in value.items()}
        return {name: item for name, item in read.items() if item is not BAD}

    def schema(self) -> JsonSchema:
        """JSON Schema of the mapping."""
        schema: JsonSchema = {"type": ["object", "null"] if self.nullable else "object"}
        schema["additionalProperties"] = self.value.schema()
        schema |= {"minProperties": self.least} if self.least else {}
        return schema | ({"propertyNames": {"pattern": self.names}} if self.names else {})


@dataclass(frozen=True)
class Key:
    """One key of the language: a row of the table."""

    name: str
    reader: AnyReader
    text: str
    """One line of Markdown for the handbook; editors show it without links."""
    default: Any = None
    """As a manifest would write it; None for none."""
    sfx: Any = None
    """The default for sound effects, if it is another one."""
    example: Any = None
    """As a manifest would write it."""
    affects: tuple[Effect, ...] = ()
    """What a change of it makes again, the largest first."""
    field: str = ""
    """Its field in a spec of the asset, if that is not ``name``; of an engine's key, its setting in a recipe."""
    words: str = ""
    """How a reason names it, if that is not its path."""
    required: str = ""
    """What the message for a missing key or value asks for; empty for a key that may be missing."""
    shown: str = ""
    """The default in the handbook, if ``default`` does not say it."""
    engines: tuple[str, ...] = ()
    """The engines that bring it; none for a key of the language itself."""

    @property
    def described(self) -> str:
        """Its text, with the engines that bring it."""
        if not self.engines:
            return self.text
        word = "Engine" if len(self.engines) == 1 else "Engines"
        return f"{self.text} {word}: {', '.join(f'`{name}`' for name in self.engines)}."

    def default_for(self, kind: str) -> Any:
        """The default for a kind, as a manifest would write it."""
        return self.sfx if kind == "sfx" and self.sfx is not None else self.default

    @property
    def stand_in(self) -> Any:
        """A value for a required key that cannot be read, so that later checks can go on."""
        return () if self.example is None else read_value(self.reader, self.example, (), [])

    def value_for(self, kind: str) -> Any:
        """The value for a kind if nobody writes the key."""
        if isinstance(self.reader, Group) and self.reader.merges:
            return {key.name: key.value_for(kind) for key in self.reader.keys}
        written = self.default_for(kind)
        if written is None:
            return () if isinstance(self.reader, ListOf) else None
        return read_value(self.reader, written, (), [])


@dataclass(frozen=True)
class Group:
    """A mapping with known keys."""

    name: str
    """In the JSON Schema."""
    text: str
    keys: tuple[Key, ...]
    nullable: bool = False
    """Whether an empty value is an empty group."""
    merges: bool = False
    """Whether a stronger layer replaces key by key, not the group as a whole."""
    alone: Reader | None = None
    """Reads a single value that is allowed instead of the mapping."""
    check: Callable[[str, Mapping[str, Any], float], None] | None = None
    """Raises `Fault` if the group does not fit its audio file, of this name and so many seconds."""
    alone_sets: tuple[str, ...] = ()
    """Keys that such a value sets; none: the value is the result."""

    @cached_property
    def by_name(self) -> Mapping[str, Key]:
        """The keys by name."""
        return {key.name: key for key in self.keys}

    def read_parts(self, value: object, place: Location, faults: Faults) -> Any:
        """What is written, by name, without what cannot be read; `BAD` if a required key is missing.

        Raises `Fault` for another structure.
        """
        if self.alone and not self.alone_sets and not isinstance(value, dict):
            return self.alone.read(value)
        if isinstance(value, str):
            value = dict.fromkeys(self.alone_sets, value) or value
        if value is None and self.nullable:
            return {}
        if not isinstance(value, dict):
            raise _not_a("mapping", value, _MAPPING)
        read = self.read_keys(value, place, faults)
        return BAD if any(key.required and key.name not in read for key in self.keys) else read

    def read_keys(self, value: Mapping[str, Any], place: Location, faults: Faults) -> dict[str, Any]:
        """What is written, by name, without what cannot be read."""
        read: dict[str, Any] = {}
        for key in self.keys:
            if key.name in value:
                item, where = value[key.name], (*place, key.name)
                if item is None and key.required:
                    faults.append((where, Fault("has no value", f"write {key.required}")))
                    continue
                part = read_value(key.reader, item, where, faults)
                if part is not BAD:
                    read[key.name] = part
            elif key.required:
                faults.append(((*place, key.name), Missing("is missing", f"write {key.required}")))
        faults += [((*place, name), UnknownKey(self, name)) for name in value.keys() - self.by_name.keys()]
        return read

    def schema(self) -> JsonSchema:
        """JSON Schema: a reference to `definition`."""
        reference = {"$ref": f"#/definitions/{self.name}"}
        return _either("object", reference, self.alone.schema()) if self.alone else reference

    def definition(self) -> JsonSchema:
        """JSON Schema of the mapping."""
        schema: JsonSchema = {
            "type": ["object", "null"] if self.nullable else "object",
            "description": plain(self.text),
            "additionalProperties": False,
            "properties": {key.name: _key_schema(key) for key in self.keys},
        }
        required = [key.name for key in self.keys if key.required]
        return schema | ({"required": required} if required else {})


@dataclass(frozen=True)
class EngineKeys:
    """Keys that an engine brings."""

    settings: tuple[Key, ...] = ()
    """Keys that an asset, defaults and profiles may write."""
    own: tuple[Key, ...] = ()
    """Keys that only an asset may write."""


EngineKeysSource = Callable[[], Mapping[str, EngineKeys]]
"""Gives the keys of each engine, by the engine's name."""


def plain(text: str) -> str:
    """Markdown without its marks.

    >>> plain("a [loop](#loops) or `none`")
    'a loop or none'
    """
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("`", "")


def _key_schema(key: Key) -> JsonSchema:
    schema = key.reader.schema()
    described: JsonSchema = {"description": plain(key.described)}
    if key.sfx is not None:
        described["description"] += f" Default: {key.default} for music, {key.sfx} for sfx."
    elif key.default is not None:
        described["default"] = _json_value(key.default)
    if key.example is not None:
        described["examples"] = [_json_value(key.example)]
    # Draft 7 ignores everything beside a reference.
    return {**described, "allOf": [schema]} if "$ref" in schema else {**described, **schema}


def _json_value(written: Any) -> Any:
    """A value as a YAML editor would read it."""
    if isinstance(written, list):
        return [_json_value(item) for item in written]
    if isinstance(written, dict):
        return {name: _json_value(item) for name, item in written.items()}
    try:
        return json.loads(written)
    except ValueError:
        return written
