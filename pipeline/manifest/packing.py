"""A project as a JSON value and back, exactly: every number keeps its type, equal parts stay one object.

An asset is a list of its fields in the order of `AssetSpec`; where a field holds one of the other types of `spec`,
its place in ``parts`` stands, which has each once as a list of its type's name and its fields.
"""

from __future__ import annotations

from dataclasses import astuple, fields
from operator import attrgetter
from typing import Any

from pipeline.errors import Problem
from pipeline.manifest.spec import (
    AssetSpec,
    AudioInput,
    DeliverySpec,
    Hearing,
    MasteringSpec,
    Project,
    QualitySpec,
    Sampling,
    SourceRef,
    Ucs,
)

_FIELDS = tuple(field.name for field in fields(AssetSpec))
_TUPLES = (_FIELDS.index("tags"), _FIELDS.index("was"))
_PART_FIELDS = (
    "sampling",
    "melody",
    "continue_from",
    "style",
    "hearing",
    "ucs",
    "mastering",
    "delivery",
    "source",
    "quality",
)
_PARTS = tuple(_FIELDS.index(name) for name in _PART_FIELDS)
_TYPES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (AudioInput, DeliverySpec, Hearing, MasteringSpec, QualitySpec, Sampling, SourceRef, Ucs)
}


def pack(project: Project) -> dict[str, Any]:
    """``project`` as a JSON value."""
    places: dict[int, int] = {}
    parts: list[list[Any]] = []
    read = attrgetter(*_FIELDS)
    assets = []
    for asset in project.assets:
        row = list(read(asset))
        for column in _PARTS:
            part = row[column]
            if part is None:
                continue
            place = places.setdefault(id(part), len(parts))
            if place == len(parts):
                parts.append([type(part).__name__, *(getattr(part, field.name) for field in fields(part))])
            row[column] = place
        assets.append(row)
    return {
        "name": project.name,
        "file": project.file,
        "profile": project.profile,
        "sha256": project.sha256,
        "warnings": [astuple(warning) for warning in project.warnings],
        "promotion": [[channel, list(allowed)] for channel, allowed in project.promotion],
        "parts": parts,
        "assets": assets,
    }


def unpack(value: dict[str, Any]) -> Project:
    """The project that `pack` was given."""
    parts = [_part(*item) for item in value["parts"]]
    assets = []
    for row in value["assets"]:
        for column in _TUPLES:
            row[column] = tuple(row[column])
        for column in _PARTS:
            if row[column] is not None:
                row[column] = parts[row[column]]
        assets.append(AssetSpec(*row))
    return Project(
        name=value["name"],
        file=value["file"],
        profile=value["profile"],
        sha256=value["sha256"],
        assets=tuple(assets),
        warnings=tuple(Problem(*warning) for warning in value["warnings"]),
        promotion=tuple((channel, tuple(allowed)) for channel, allowed in value["promotion"]),
    )


def _part(kind: str, *values: Any) -> Any:
    return _TYPES[kind](*(tuple(value) if isinstance(value, list) else value for value in values))
