"""The manifest room as the product uses it: with the keys of the built-in engines."""

from __future__ import annotations

from functools import partial

from pipeline import manifest
from pipeline.generators.registry import engine_keys
from pipeline.manifest import schema

load = partial(manifest.load, engine_keys=engine_keys)
load_cached = partial(manifest.load_cached, engine_keys=engine_keys)
json_schema = partial(schema.json_schema, engine_keys)
json_schema_text = partial(manifest.json_schema_text, engine_keys)
