"""The manifest language as a JSON Schema, for completion and red lines in editors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pipeline.manifest.language import language
from pipeline.manifest.structure import AnyReader, EngineKeysSource, Group, ListOf, MapOf

_DRAFT = "http://json-schema.org/draft-07/schema#"

_ASSET_FILE = {"maxProperties": 2, "properties": {"assets": {"minItems": 1}}}
"""A file with assets and no project is a file of assets, which contains nothing else."""


def json_schema(engine_keys: EngineKeysSource) -> dict[str, Any]:
    """The schema of a manifest and of the files that it includes or lists, in draft 7, which YAML editors read."""
    manifest = language(engine_keys).manifest
    groups = {group.name: group for group in _groups(manifest) if group is not manifest}
    return {
        "$schema": _DRAFT,
        "title": "Cuesmith manifest",
        **manifest.definition(),
        "required": ["cuesmith"],
        "dependencies": {
            "project": ["assets"],
            "assets": {"if": {"required": ["project"]}, "else": _ASSET_FILE},
        },
        "definitions": {name: groups[name].definition() for name in sorted(groups)},
    }


def json_schema_text(engine_keys: EngineKeysSource) -> str:
    """`json_schema` as the text of the file that editors point at."""
    return json.dumps(json_schema(engine_keys), indent=2, ensure_ascii=False) + "\n"


def _groups(reader: AnyReader) -> Iterator[Group]:
    """Every group in ``reader``, itself too."""
    if isinstance(reader, ListOf):
        yield from _groups(reader.item)
    elif isinstance(reader, MapOf):
        yield from _groups(reader.value)
    elif isinstance(reader, Group):
        yield reader
        for key in reader.keys:
            yield from _groups(key.reader)
