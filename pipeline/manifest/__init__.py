"""The manifest language: YAML in, one frozen `AssetSpec` an asset out."""

from pipeline.manifest.compiled import load_cached
from pipeline.manifest.lazy_imports import (
    json_schema,
    json_schema_text,
    label_words,
    load,
    manifest_texts,
    profile_names,
    reason_words,
    setting_words,
)
from pipeline.manifest.problems import beside, nearest
from pipeline.manifest.spec import AssetSpec, Project

__all__ = [
    "AssetSpec",
    "Project",
    "beside",
    "json_schema",
    "json_schema_text",
    "label_words",
    "load",
    "load_cached",
    "manifest_texts",
    "nearest",
    "profile_names",
    "reason_words",
    "setting_words",
]
