"""Reasons in words: how what the manifest asks differs from what the catalog has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pipeline.manifest.spec import AssetSpec
from pipeline.provenance import MasterRecord
from pipeline.recipe import Recipe

_RECIPE_WORDS = {
    "engine": ("engine", ""),
    "engine_version": ("engine version", ""),
    "model": ("model", ""),
    "revision": ("model revision", ""),
    "kind": ("kind", ""),
    "seconds": ("duration", " s"),
}
_MASTERING_WORDS = {
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


def recipe_reasons(before: Mapping[str, Any], after: Recipe) -> Iterator[str]:
    """Why a take is not the one that ``before`` (a stored recipe) gave; nothing where only the seed differs."""
    wanted = after.to_json()
    if before["prompt"] != wanted["prompt"]:
        yield "prompt changed"
    for key, (word, unit) in _RECIPE_WORDS.items():
        if before[key] != wanted[key]:
            yield f"{word} changed: {say(before[key])}{unit} -> {say(wanted[key])}{unit}"
    for room, unset in (("settings", "unset"), ("conditioning", "none")):
        for key in sorted({*before[room], *wanted[room]}):
            old, new = before[room].get(key, unset), wanted[room].get(key, unset)
            if old != new:
                changed = f"{key.replace('_', ' ')} changed"
                yield changed if room == "conditioning" else f"{changed}: {say(old)} -> {say(new)}"


def mastering_reasons(before: MasterRecord, asset: AssetSpec) -> Iterator[str]:
    """Why a master is not the one that was made under ``before``'s mastering and delivery specs."""
    gates = asdict(asset.quality)
    new = {
        **asdict(asset.mastering),
        **asdict(asset.delivery),
        "formats": list(asset.delivery.formats),
        **gates,
    }
    return spec_reasons({**before["mastering"], **before["delivery"], **before.get("gates", gates)}, new)


def spec_reasons(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """How two mastering and delivery specs differ, each as one JSON object."""
    for key, (word, unit) in _MASTERING_WORDS.items():
        if key in before and before[key] != after.get(key):
            yield f"{word} changed: {say(before.get(key))}{unit} -> {say(after.get(key))}{unit}"


def say(value: Any) -> str:
    """A value as a person would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return " ".join(str(item) for item in value)
    return "none" if value is None else str(value)
