"""Settings of an asset: which layer decides, which settings exclude each other, and the specs that they become."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from pipeline.formats import FORMATS, TARGET_FORMATS
from pipeline.manifest.language import Language, spec_keys
from pipeline.manifest.problems import Fault, list_names
from pipeline.manifest.spec import DeliverySpec, ExportSettings, MasteringSpec, QualitySpec
from pipeline.manifest.values import RATES, Beats

Values = dict[str, Any]


def merge(below: Mapping[str, Any], above: Mapping[str, Any], merging: Set[str]) -> Values:
    """``below`` with the keys of ``above`` in their place; the groups ``merging`` merge key by key."""
    groups = {name: below.get(name, {}) | above[name] for name in above.keys() & merging}
    return {**below, **above, **groups}


def merge_settings(below: Values, above: Mapping[str, Any], folder: str, merging: Set[str]) -> Values:
    """``below`` with every setting of ``above``; a path to a model starts at ``folder``."""
    settings = {name: value for name, value in above.items() if name in below}
    if "model" in above:
        settings["model_folder"] = folder if above["model"] else ""
    return merge(below, settings, merging)


def merge_layers(language: Language, kind: str, layers: Iterable[tuple[Values, str]]) -> Values:
    """The settings of a kind before those of any asset, from the weakest layer to the strongest.

    Each layer comes with the folder of its file. A model belongs to one engine: a layer that chooses another engine
    and no model removes the model below.
    """
    values: Values = language.defaults(kind)
    for layer, folder in layers:
        section = layer.get(kind, {})
        engine = section.get("engine") or layer.get("engine") or values["engine"]
        if engine != values["engine"]:
            values |= {"model": None, "model_folder": ""}
        values = merge_settings(values, {**section, "engine": engine}, folder, language.merging)
    return values


def settled(values: Values) -> Values:
    """``values`` with the loop as a flag and its intro apart."""
    loop = values["loop"]
    intro = loop.get("intro") if isinstance(loop, dict) else None
    return values | {"loop": loop is not False, "intro": intro}


def intro_seconds(intro: float | None, bpm: float | None) -> float:
    """An intro's length; 0 for none, and for one in bars without a tempo."""
    if not isinstance(intro, Beats):
        return intro or 0.0
    return intro * 60.0 / bpm if bpm else 0.0


def merge_asset(
    below: Values, asset: Mapping[str, Any], folder: str, merging: Set[str], *, profile_engine: bool
) -> Values:
    """``below`` with every setting of the asset; a model counts only for the engine for which it was written.

    ``profile_engine``: the engine below comes from the profile and wins, so that a profile can replace every engine.
    """
    if asset.get("engine", below["engine"]) == below["engine"]:
        return merge_settings(below, asset, folder, merging)
    if profile_engine:
        asset = {name: value for name, value in asset.items() if name not in ("engine", "model")}
        return merge_settings(below, asset, folder, merging)
    return merge_settings(below | {"model": None, "model_folder": ""}, asset, folder, merging)


_BEATS_A_BAR = 4
_SHORTEST_LOOP_S = 0.5
"""After an intro in free time."""
_NEAR_ENOUGH_S = 0.0005
_ROUNDING_S = 1e-8
"""Of sums of seconds up to an hour."""


Conflict = tuple[tuple[str, ...], Fault]
"""The keys of all settings involved, and the fault between them; the message names the first."""


def conflicts(values: Values, written: Set[str]) -> Iterator[Conflict]:
    """Settings that no master can satisfy. ``written`` are the asset's own keys."""
    if values["duration"] is None:
        remedy = "write one such as duration: 2s, here or in defaults"
        yield ("duration",), Fault("is missing", remedy)
    elif values["loop"]:
        yield from _loop(values, written)
    else:
        yield from _fades(values)
    if values["loudness"] > values["true_peak"]:
        what = (
            f"{values['loudness']:g} LUFS cannot be reached below a true peak of {values['true_peak']:g} dBTP"
        )
        yield ("loudness", "true_peak"), Fault(what, "lower loudness or raise true_peak")
    if "width" in written and values["channels"] == 1 and values["width"] != 1.0:
        fault = Fault("mono has no width", "set channels: 2, or remove width")
        yield ("width", "channels"), fault
    yield from _formats(values)


def _loop(values: Values, written: Set[str]) -> Iterator[Conflict]:
    if "fade" in written:
        fault = Fault("a loop cannot fade: its end runs into its start", "remove fade, or write loop: false")
        yield ("fade", "loop"), fault
    if "trim" in written and values["trim"]:
        fault = Fault(
            "a loop cannot be trimmed: its length is its duration", "remove trim, or write loop: false"
        )
        yield ("trim", "loop"), fault
    intro, bpm = values["intro"], values["bpm"]
    if isinstance(intro, Beats) and bpm is None:
        yield ("loop", "bpm"), Fault("an intro in bars needs a tempo", "write bpm, or the intro in seconds")
        return
    if intro and not any(FORMATS[name].loop_points for name in values["formats"]):
        what = f"{' and '.join(values['formats'])} cannot store where the loop starts after its intro"
        others = list_names(name for name, row in FORMATS.items() if row.loop_points)
        yield ("formats", "loop"), Fault(what, f"add one of {others}, or remove intro")
    yield from _loop_length(values, intro_seconds(intro, bpm))


def _loop_length(values: Values, intro_s: float) -> Iterator[Conflict]:
    """Why the intro and a loop of whole bars do not fit in ``duration``."""
    bpm, left = values["bpm"], values["duration"] - intro_s
    bar = _BEATS_A_BAR * 60 / bpm if bpm else 0.0
    keys = ("duration", "loop", "bpm")
    least = max(bar, _SHORTEST_LOOP_S if intro_s else 0.0)
    if left < least - _ROUNDING_S:
        after = f" after an intro of {intro_s:.4g} s" if intro_s else ""
        room = f"whole bar at {bpm:g} bpm" if bpm else "loop"
        what = f"{values['duration']:g} s is too short for a {room}{after}"
        remedy = f"write {_rounded_up(intro_s + least, 3)}s or more" + (
            "" if intro_s else ", or remove bpm for a loop in free time"
        )
        yield keys, Fault(what, remedy)
    elif bpm and values["exact"]:
        whole = round(left / bar) * bar
        if abs(whole - left) > _NEAR_ENOUGH_S:
            what = f"a loop of exactly {left:.6g} s is not a whole number of bars at {bpm:g} bpm"
            remedy = f"write duration: {_rounded_up(intro_s + whole, 4)}s, or remove exact"
            yield ("exact", *keys), Fault(what, remedy)


def _rounded_up(seconds: float, places: int) -> str:
    """Rounded up to so many decimal places: the duration in a message must be valid.

    >>> _rounded_up(6.15385, 3), _rounded_up(7.2, 3)
    ('6.154', '7.2')
    """
    return f"{math.ceil(seconds * 10**places - _ROUNDING_S * 10**places) / 10**places:.{places + 4}g}"


def _fades(values: Values) -> Iterator[Conflict]:
    fades = values["fade"]["in"] + values["fade"]["out"]
    if fades > values["duration"]:
        what = f"fades of {fades:g} s together are longer than the sound ({values['duration']:g} s)"
        yield ("fade", "duration", "loop"), Fault(what, "shorten fade or lengthen duration")


def _formats(values: Values) -> Iterator[Conflict]:
    formats, rate = values["formats"], values["sample_rate"]
    twice = [name for place, name in enumerate(formats) if name in formats[:place]]
    if twice:
        yield ("formats",), Fault(f"{twice[0]} is listed twice", "remove one")
    for row in (FORMATS[name] for name in formats):
        if row.rates is not None and rate not in row.rates:
            rates = list_names(str(other) for other in RATES if other in row.rates)
            remedy = f"set sample_rate to one of {rates}, or remove {row.name}"
            yield ("formats", "sample_rate"), Fault(f"{row.name} does not support {rate} Hz", remedy)
        if row.lossless and not row.float_samples and values["bit_depth"] == "float":
            fault = Fault(
                f"{row.name} does not support float samples", f"set bit_depth to 24, or remove {row.name}"
            )
            yield ("formats", "bit_depth"), fault


_WITH_BIT_RATE = ("ogg", "opus", "mp3")


def export_fault(settings: ExportSettings) -> Fault | None:
    """Why no file can have the settings of an export profile; None if one can."""
    row = FORMATS[settings.format] if settings.format else None
    if settings.bit_rate_kbps is not None and settings.format not in _WITH_BIT_RATE:
        named = f"format {row.name} has" if row else "the format of the masters may have"
        return Fault(f"{named} no bit rate to choose", f"write format: one of {list_names(_WITH_BIT_RATE)}")
    if row is None:
        return None
    rate = settings.sample_rate_hz
    if rate is not None and row.rates is not None and rate not in row.rates:
        rates = list_names(str(other) for other in RATES if other in row.rates)
        return Fault(f"{row.name} does not support {rate} Hz", f"set sample_rate to one of {rates}")
    if settings.bit_depth == "float" and not row.float_samples:
        return Fault(f"{row.name} does not support float samples", "set bit_depth to 16 or 24")
    return None


def export_warning(settings: ExportSettings) -> Fault | None:
    """Why no target of `cuesmith export` can use an export profile; None if one can."""
    imported = [name for name in FORMATS if any(name in formats for formats in TARGET_FORMATS.values())]
    if settings.format in (None, *imported):
        return None
    return Fault(
        f"no export target imports {settings.format}", f"write format: one of {list_names(imported)}"
    )


def asset_specs(values: Values) -> tuple[MasteringSpec, DeliverySpec, QualitySpec]:
    """The specs of settled values. A loop is neither faded nor trimmed, and only a loop needs a tempo."""
    if values["loop"]:
        intro_s = intro_seconds(values["intro"], values["bpm"])
        unfaded = {"fade_in_s": 0.0, "fade_out_s": 0.0, "fade_curve": "s_curve"}
        changes = {"trim": False, "intro_s": intro_s, **unfaded}
    else:
        changes = {"bpm": None, "intro_s": 0.0}
    mastering = MasteringSpec(**{**_fields(MasteringSpec, values), **changes})
    return (
        mastering,
        DeliverySpec(**_fields(DeliverySpec, values)),
        QualitySpec(**_fields(QualitySpec, values)),
    )


def _fields(spec: type, values: Values) -> dict[str, Any]:
    """The fields of a spec, from the settings that its keys name."""
    return {
        field: values[path[0]][path[1]] if len(path) > 1 and path[0] != "loop" else values[path[0]]
        for field, (path, _) in spec_keys(spec).items()
    }
