"""The manifest room as the product uses it: with the keys of the built-in engines."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pipeline import manifest
from pipeline.generators.registry import engine_keys
from pipeline.manifest import Project, loader, schema


def load(path: Path, profile: str | None = None) -> Project:
    return loader.load(path, profile, engine_keys)


load_cached = partial(manifest.load_cached, engine_keys=engine_keys)
json_schema = partial(schema.json_schema, engine_keys)
json_schema_text = partial(schema.json_schema_text, engine_keys)
