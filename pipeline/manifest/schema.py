"""The manifest language as a JSON Schema, for completion and red lines in editors."""

from __future__ import annotations

import json
from typing import Any

from pipeline.manifest.keys import Manifest

_DRAFT = "http://json-schema.org/draft-07/schema#"

_ASSET_FILE = {"maxProperties": 2, "properties": {"assets": {"minItems": 1}}}
"""What a file with assets and no project is: a file of assets, which holds nothing else."""


def json_schema() -> dict[str, Any]:
    """The schema of a manifest and of the files that it includes or lists, in draft 7, which YAML editors read."""
    schema = _tidy(Manifest.model_json_schema(by_alias=True))
    parts = {name: _tidy(part) for name, part in schema.pop("$defs").items()}
    schema["required"] = ["cuesmith"]
    schema["dependencies"] = {
        "project": ["assets"],
        "assets": {"anyOf": [{"required": ["project"]}, _ASSET_FILE]},
    }
    head = {"$schema": _DRAFT, "title": "Cuesmith manifest"}
    return {**head, **schema, "definitions": parts}


def json_schema_text() -> str:
    """`json_schema` as the text of the file that editors point at."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _tidy(node: Any) -> Any:
    """Without what says nothing (titles, null defaults), and with references as draft 7 wants them."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _tidy_value(key, value) for key, value in node.items() if not _says_nothing(key, value)}
    reference = kept.pop("$ref", None)
    if reference is not None:
        target = {"$ref": reference.replace("#/$defs/", "#/definitions/")}
        return {**kept, "allOf": [target]} if kept else target
    return kept


def _tidy_value(key: str, value: Any) -> Any:
    """The value of one keyword; what ``properties`` holds are names, not keywords."""
    if key in ("properties", "$defs") and isinstance(value, dict):
        return {name: _tidy(part) for name, part in value.items()}
    return _tidy(value)


def _says_nothing(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value in (None, [], {}))
