"""Which setting counts: built-in, then defaults, then the profile, then the asset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from pipeline.manifest.language import Language, Layer, LoopKeys, Settings
from pipeline.manifest.values import Beats

Values = dict[str, Any]

_COMMON: Values = {
    "engine": "sketch",
    "model": None,
    "model_folder": "",
    "duration": None,
    "bpm": None,
    "loop": False,
    "intro": None,
    "exact": False,
    "width": 1.0,
    "tags": (),
    "variations": 1,
    "candidates": 1,
    "sampling": {"temperature": None, "top_k": None, "top_p": None, "cfg": None},
    "extend": False,
    "decoder": "encodec",
    "license": "any",
    "true_peak": -1.0,
    "sample_rate": 48000,
    "formats": ("wav",),
    "bit_depth": "24",
    "credentials": "none",
    "naming": "{id}_{variation}",
}
_QUALITY: Values = {
    "gate": True,
    "clipping": 0.001,
    "dc": 0.015,
    "tail_noise": 12.0,
    "seam": 1.2,
}
_MUSIC: Values = {
    "loudness": -16.0,
    "channels": 2,
    "trim": False,
    "fade": {"in_": 0.01, "out": 0.25, "curve": "s_curve"},
    "quality": _QUALITY | {"silence": -50.0, "noise": 0.6, "duplicates": 0.95},
}
_SFX: Values = {
    "loudness": -18.0,
    "channels": 1,
    "trim": True,
    "fade": {"in_": 0.0, "out": 0.01, "curve": "s_curve"},
    "quality": _QUALITY | {"silence": -60.0, "noise": 0.85, "duplicates": 0.996},
}
BUILT_IN: Mapping[str, Values] = MappingProxyType({"music": _COMMON | _MUSIC, "sfx": _COMMON | _SFX})
"""What holds for a kind where nobody says otherwise. Fades keep the cut ends of a sound from clicking."""


def lay(below: Values, above: Settings, names: Iterable[str] | None = None) -> Values:
    """``below`` with every setting that ``above`` writes in its place; sampling, fade and quality key by
    key."""
    result = dict(below)
    for name in above.model_fields_set if names is None else names:
        value = getattr(above, name)
        if name == "loop":
            result[name] = bool(value)
            result["intro"] = value.intro if isinstance(value, LoopKeys) else None
        elif isinstance(value, Language):
            result[name] = below[name] | {key: getattr(value, key) for key in value.model_fields_set}
        else:
            result[name] = value
    return result


def lay_from(below: Values, above: Settings, folder: str, names: Iterable[str] | None = None) -> Values:
    """`lay`, with ``folder`` as the place where a path that ``above`` gives as its model starts."""
    result = lay(below, above, names)
    if "model" in above.model_fields_set:
        result["model_folder"] = folder if result["model"] else ""
    return result


def lay_all(kind: str, layers: Iterable[tuple[Layer, str]]) -> Values:
    """The settings of a kind before any asset speaks, from the weakest layer to the strongest.

    Each layer comes with the folder of its file. A model belongs to the engine that it was written for: a layer that
    chooses another engine and says nothing of a model takes back the one below.
    """
    values: Values = dict(BUILT_IN[kind])
    for layer, folder in layers:
        section = layer.music if kind == "music" else layer.sfx
        engine = section.engine or layer.engine or values["engine"]
        if engine != values["engine"]:
            values |= {"model": None, "model_folder": ""}
        values = lay_from(values, section, folder)
        values["engine"] = engine
    return values


def intro_seconds(intro: float | None, bpm: float | None) -> float:
    """An intro's length; 0 for none, and for one in bars without a tempo."""
    if not isinstance(intro, Beats):
        return intro or 0.0
    return intro * 60.0 / bpm if bpm else 0.0
