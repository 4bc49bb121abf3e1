"""The manifest language: YAML in, one frozen `AssetSpec` an asset out."""

from pipeline.manifest.compiled import load
from pipeline.manifest.faults import nearest
from pipeline.manifest.late import json_schema, json_schema_text
from pipeline.manifest.spec import AssetSpec, Project

__all__ = ["AssetSpec", "Project", "json_schema", "json_schema_text", "load", "nearest"]
