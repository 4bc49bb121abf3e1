"""The manifest room's only late imports: YAML and pydantic take longer than a whole `plan` of a known manifest."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from pipeline.manifest.loader import Loaded


def load_afresh(path: Path, profile: str | None) -> Loaded:
    """`pipeline.manifest.loader.load_afresh`."""
    module = import_module("pipeline.manifest.loader")
    return cast("Loaded", module.load_afresh(path, profile))


def json_schema() -> dict[str, Any]:
    """`pipeline.manifest.schema.json_schema`."""
    module = import_module("pipeline.manifest.schema")
    return cast("dict[str, Any]", module.json_schema())


def json_schema_text() -> str:
    """`pipeline.manifest.schema.json_schema_text`."""
    module = import_module("pipeline.manifest.schema")
    return cast("str", module.json_schema_text())
