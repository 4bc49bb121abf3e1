"""Reasons in words: how the manifest differs from what the catalog has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import asdict, fields
from typing import Any

from pipeline.generators.registry import engine_keys
from pipeline.manifest import lazy_imports
from pipeline.manifest.spec import NOT_IN_DIGESTS, AssetSpec, DeliverySpec, MasteringSpec, QualitySpec
from pipeline.provenance import MasterRecord
from pipeline.recipe import Recipe
from pipeline.watermarks import find_watermark

_RECIPE_APART = ("schema", "prompt", "seed", "settings", "conditioning")
"""Keys of a recipe with sentences of their own, or with none."""
_SPEC_FIELDS = [field.name for spec in (MasteringSpec, DeliverySpec, QualitySpec) for field in fields(spec)]


def review_reasons(takes: Set[str], rejected: Set[str], rerolled: Set[str]) -> Iterator[str]:
    """What people said of ``takes``, where they want others; the sets are those of `Known`."""
    if replaced := rejected & takes:
        yield "another take requested in review" if replaced <= rerolled else "rejected in review"


def recipe_reasons(before: Mapping[str, Any], after: Recipe) -> Iterator[str]:
    """How ``after`` differs from ``before``, a stored recipe; nothing if only the seed differs."""
    recipe = after.to_json()
    if before["prompt"] != recipe["prompt"]:
        yield "prompt changed"
    for key in recipe:
        if key not in _RECIPE_APART and before.get(key) != recipe[key]:
            word, unit = _recipe_words(key)
            yield f"{word} changed: {say(before.get(key))}{unit} -> {say(recipe[key])}{unit}"
    for section in ("settings", "conditioning"):
        for key in sorted({*before[section], *recipe[section]}):
            old, new = before[section].get(key, "none"), recipe[section].get(key, "none")
            if old != new:
                word, unit = lazy_imports.language.setting_words(engine_keys).get(
                    key, (key.replace("_", " "), "")
                )
                values = f": {_with(unit, old)} -> {_with(unit, new)}" if section == "settings" else ""
                yield f"{word} changed{values}"


def _recipe_words(key: str) -> tuple[str, str]:
    """How a reason names a key of a recipe, and the unit of its values."""
    if key == "seconds":
        return lazy_imports.language.reason_words()["duration_s"]
    return "model revision" if key == "revision" else key.replace("_", " "), ""


def mastering_reasons(before: MasterRecord, asset: AssetSpec) -> Iterator[str]:
    """How the asset's mastering, delivery and quality specs differ from those of ``before``."""
    specs = {**asdict(asset.mastering), **asdict(asset.delivery), **asdict(asset.quality)}
    yield from spec_reasons(specs_of(before), {**specs, "formats": list(asset.delivery.formats)})
    if before.get("scores", []) != [score.to_json() for score in asset.scores]:
        yield "scores changed"
    carried = before.get("watermark")
    if carried and carried["name"] == asset.watermark:
        revision = find_watermark(asset.watermark).revision
        if carried["revision"] != revision:
            yield f"revision of the watermark changed: {carried['revision'][:12]} -> {revision[:12]}"


def specs_of(record: MasterRecord) -> dict[str, Any]:
    """The mastering, delivery and quality specs of a master as one JSON object."""
    return {**NOT_IN_DIGESTS, **record["mastering"], **record["delivery"], **record["gates"]}


def spec_reasons(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """How two objects of `specs_of` differ: every key has its own words."""
    for key in dict.fromkeys([*_SPEC_FIELDS, *before, *after]):
        old, new = before.get(key), after.get(key)
        if old != new:
            word, unit = lazy_imports.language.reason_words().get(key, (key.replace("_", " "), ""))
            yield f"{word} changed: {say(old)}{unit} -> {say(new)}{unit}"


def chain_reasons(before: str | None, after: str | None) -> Iterator[str]:
    """How two versions of the mastering chain differ; None if a record does not name its version."""
    if before and after and before != after:
        yield f"mastering chain changed: version {before} -> {after}"


def label_reasons(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """How the labels of two rows differ. Labels that ``after`` does not have are not compared."""
    for key, word in lazy_imports.language.label_words().items():
        if key in after and before.get(key) != after[key]:
            yield f"{word} changed: {_label(before.get(key))} -> {_label(after[key])}"


def ucs_of(asset: AssetSpec) -> dict[str, str] | None:
    """The UCS labels of an asset as a row has them."""
    return {key: value for key, value in asdict(asset.ucs).items() if value} if asset.ucs else None


def _label(value: Any) -> str:
    return (
        say([f"{key} {item}" for key, item in value.items()] if isinstance(value, dict) else value) or "none"
    )


def _with(unit: str, value: Any) -> str:
    """A value with its unit."""
    return f"{say(value)}{unit if isinstance(value, float) else ''}"


def say(value: Any) -> str:
    """A value as a user would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return " ".join(str(item) for item in value)
    return "none" if value is None else str(value)
