"""Reasons in words: how what the manifest asks differs from what the catalog has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any

from pipeline.manifest.spec import AssetSpec, DeliverySpec, MasteringSpec, QualitySpec
from pipeline.provenance import MasterRecord
from pipeline.recipe import Recipe

RECIPE_WORDS = {
    "engine": ("engine", ""),
    "engine_version": ("engine version", ""),
    "model": ("model", ""),
    "revision": ("model revision", ""),
    "kind": ("kind", ""),
    "seconds": ("duration", " s"),
}
_RECIPE_APART = ("schema", "prompt", "seed", "settings", "conditioning")
"""Keys of a recipe that have a way of their own to be said."""
SPEC_WORDS = {
    "loudness_lufs": ("loudness", " LUFS"),
    "true_peak_dbtp": ("true peak", " dBTP"),
    "sample_rate_hz": ("sample rate", " Hz"),
    "channels": ("channels", ""),
    "duration_s": ("duration", " s"),
    "loop": ("loop", ""),
    "bpm": ("bpm", ""),
    "trim": ("trim", ""),
    "fade_in_s": ("fade in", " s"),
    "fade_out_s": ("fade out", " s"),
    "fade_curve": ("fade curve", ""),
    "intro_s": ("intro", " s"),
    "exact": ("exact", ""),
    "width": ("width", ""),
    "formats": ("formats", ""),
    "bit_depth": ("bit depth", ""),
    "gate": ("quality gate", ""),
    "silence_lufs": ("quality silence", " LUFS"),
    "clipping": ("quality clipping", ""),
    "dc": ("quality dc", ""),
    "noise": ("quality noise", ""),
    "tail_noise_db": ("quality tail noise", " dB"),
    "seam": ("quality seam", ""),
    "duplicates": ("quality duplicates", ""),
}
LABEL_WORDS = {"tags": "tags", "ucs": "UCS labels", "bpm": "bpm"}
_SPEC_DEFAULTS = {
    field.name: field.default
    for spec in (MasteringSpec, DeliverySpec, QualitySpec)
    for field in fields(spec)
    if field.default is not MISSING
}
"""What a key that an older record does not have stood for when the record was written."""


def recipe_reasons(before: Mapping[str, Any], after: Recipe) -> Iterator[str]:
    """Why a take is not the one that ``before`` (a stored recipe) gave; nothing where only the seed differs."""
    wanted = after.to_json()
    if before["prompt"] != wanted["prompt"]:
        yield "prompt changed"
    for key in dict.fromkeys([*RECIPE_WORDS, *wanted]):
        word, unit = RECIPE_WORDS.get(key, (key.replace("_", " "), ""))
        if key not in _RECIPE_APART and before.get(key) != wanted[key]:
            yield f"{word} changed: {say(before.get(key))}{unit} -> {say(wanted[key])}{unit}"
    for room, unset in (("settings", "unset"), ("conditioning", "none")):
        for key in sorted({*before[room], *wanted[room]}):
            old, new = before[room].get(key, unset), wanted[room].get(key, unset)
            if old != new:
                changed = f"{key.replace('_', ' ')} changed"
                yield changed if room == "conditioning" else f"{changed}: {say(old)} -> {say(new)}"


def mastering_reasons(before: MasterRecord, asset: AssetSpec) -> Iterator[str]:
    """Why a master is not the one that was made under ``before``'s mastering, delivery and quality specs."""
    wanted = {**asdict(asset.mastering), **asdict(asset.delivery), **asdict(asset.quality)}
    return spec_reasons(specs_of(before), {**wanted, "formats": list(asset.delivery.formats)})


def specs_of(record: MasterRecord) -> dict[str, Any]:
    """The mastering, delivery and quality specs of a master as one JSON object."""
    return {**record["mastering"], **record["delivery"], **record.get("gates", {})}


def spec_reasons(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """How two objects of `specs_of` differ: every key has its own words."""
    for key in dict.fromkeys([*SPEC_WORDS, *before, *after]):
        word, unit = SPEC_WORDS.get(key, (key.replace("_", " "), ""))
        old, new = (specs.get(key, _SPEC_DEFAULTS.get(key)) for specs in (before, after))
        if old != new:
            yield f"{word} changed: {say(old)}{unit} -> {say(new)}{unit}"


def chain_reasons(before: str | None, after: str | None) -> Iterator[str]:
    """How two versions of the mastering chain differ; None where a record does not name its own."""
    if before and after and before != after:
        yield f"mastering chain changed: version {before} -> {after}"


def label_reasons(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """How the labels of two rows differ. Labels that ``after`` does not have are not compared."""
    for key, word in LABEL_WORDS.items():
        if key in after and before.get(key) != after[key]:
            yield f"{word} changed: {_label(before.get(key))} -> {_label(after[key])}"


def ucs_of(asset: AssetSpec) -> dict[str, str] | None:
    """The UCS labels of an asset as a row has them."""
    return {key: value for key, value in asdict(asset.ucs).items() if value} if asset.ucs else None


def _label(value: Any) -> str:
    return (
        say([f"{key} {item}" for key, item in value.items()] if isinstance(value, dict) else value) or "none"
    )


def say(value: Any) -> str:
    """A value as a person would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return " ".join(str(item) for item in value)
    return "none" if value is None else str(value)
