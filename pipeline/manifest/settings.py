"""Settings of an asset: which layer decides, which settings exclude each other, and the specs that they become."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pipeline.manifest.keys import Language, Layer, LoopKeys, Settings, StyleKeys
from pipeline.manifest.problems import Fault, list_names
from pipeline.manifest.spec import DeliverySpec, Hearing, MasteringSpec, QualitySpec, Sampling
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


_OPUS_RATES = (8000, 16000, 24000, 48000)
_MP3_HIGHEST = 48000
_POINTLESS = frozenset({"mp3", "m4a"})
"""Formats that hold no loop points."""
_BEATS_A_BAR = 4
_SHORTEST_LOOP_S = 0.5
"""After an intro in free time."""
_NEAR_ENOUGH_S = 0.0005
_ROUNDING_S = 1e-8
"""Of sums of seconds up to an hour."""


@dataclass(frozen=True)
class Conflict:
    """A fault between settings: ``keys`` are all that take part, the first is the one to point at."""

    keys: tuple[str, ...]
    fault: Fault


def conflicts(values: Values, written: Set[str]) -> Iterator[Conflict]:
    """Everything in ``values`` that no master could satisfy. ``written`` are the asset's own keys."""
    if values["duration"] is None:
        remedy = "write one such as duration: 2s, here or in defaults"
        yield Conflict(("duration",), Fault("is missing", remedy))
    elif values["loop"]:
        yield from _loop(values, written)
    else:
        yield from _fades(values)
    if values["loudness"] > values["true_peak"]:
        what = (
            f"{values['loudness']:g} LUFS cannot be reached below a true peak of {values['true_peak']:g} dBTP"
        )
        yield Conflict(("loudness", "true_peak"), Fault(what, "lower loudness or raise true_peak"))
    if "width" in written and values["channels"] == 1 and values["width"] != 1.0:
        fault = Fault("mono has no width", "set channels: 2, or remove width")
        yield Conflict(("width", "channels"), fault)
    yield from _formats(values)


def _loop(values: Values, written: Set[str]) -> Iterator[Conflict]:
    if "fade" in written:
        fault = Fault("a loop cannot fade: its end runs into its start", "remove fade, or write loop: false")
        yield Conflict(("fade", "loop"), fault)
    if "trim" in written and values["trim"]:
        fault = Fault(
            "a loop cannot be trimmed: its length is its duration", "remove trim, or write loop: false"
        )
        yield Conflict(("trim", "loop"), fault)
    intro, bpm = values["intro"], values["bpm"]
    if isinstance(intro, Beats) and bpm is None:
        yield Conflict(
            ("loop", "bpm"), Fault("an intro in bars needs a tempo", "write bpm, or the intro in seconds")
        )
        return
    if intro and _POINTLESS.issuperset(values["formats"]):
        what = f"{' and '.join(values['formats'])} cannot say where the loop starts after its intro"
        yield Conflict(("formats", "loop"), Fault(what, "add wav, flac, ogg or opus, or remove intro"))
    yield from _loop_length(values, intro_seconds(intro, bpm))


def _loop_length(values: Values, intro_s: float) -> Iterator[Conflict]:
    """What keeps ``duration`` from holding the intro and a loop of whole bars."""
    bpm, left = values["bpm"], values["duration"] - intro_s
    bar = _BEATS_A_BAR * 60 / bpm if bpm else 0.0
    keys = ("duration", "loop", "bpm")
    least = max(bar, _SHORTEST_LOOP_S if intro_s else 0.0)
    if left < least - _ROUNDING_S:
        after = f" after an intro of {intro_s:.4g} s" if intro_s else ""
        room = f"whole bar at {bpm:g} bpm" if bpm else "loop"
        what = f"{values['duration']:g} s holds no {room}{after}"
        remedy = f"write {_rounded_up(intro_s + least, 3)}s or more" + (
            "" if intro_s else ", or remove bpm for a loop in free time"
        )
        yield Conflict(keys, Fault(what, remedy))
    elif bpm and values["exact"]:
        whole = round(left / bar) * bar
        if abs(whole - left) > _NEAR_ENOUGH_S:
            what = f"a loop of exactly {left:.6g} s is not of whole bars at {bpm:g} bpm"
            remedy = f"write duration: {_rounded_up(intro_s + whole, 4)}s, or remove exact"
            yield Conflict(("exact", *keys), Fault(what, remedy))


def _rounded_up(seconds: float, places: int) -> str:
    """With so many decimal places, and never less: a duration that a message asks for must be taken.

    >>> _rounded_up(6.15385, 3), _rounded_up(7.2, 3)
    ('6.154', '7.2')
    """
    return f"{math.ceil(seconds * 10**places - _ROUNDING_S * 10**places) / 10**places:.{places + 4}g}"


def _fades(values: Values) -> Iterator[Conflict]:
    fades = values["fade"]["in_"] + values["fade"]["out"]
    if fades > values["duration"]:
        what = f"fades of {fades:g} s together are longer than the sound ({values['duration']:g} s)"
        yield Conflict(("fade", "duration", "loop"), Fault(what, "shorten fade or lengthen duration"))


def _formats(values: Values) -> Iterator[Conflict]:
    formats, rate = values["formats"], values["sample_rate"]
    twice = [name for place, name in enumerate(formats) if name in formats[:place]]
    if twice:
        yield Conflict(("formats",), Fault(f"{twice[0]} is listed twice", "remove one"))
    if "opus" in formats and rate not in _OPUS_RATES:
        remedy = f"set sample_rate to one of {list_names(map(str, _OPUS_RATES))}, or remove opus"
        yield Conflict(("formats", "sample_rate"), Fault(f"opus cannot hold {rate} Hz", remedy))
    if "mp3" in formats and rate > _MP3_HIGHEST:
        remedy = f"set sample_rate to {_MP3_HIGHEST} or less, or remove mp3"
        yield Conflict(("formats", "sample_rate"), Fault(f"mp3 cannot hold {rate} Hz", remedy))
    if "flac" in formats and values["bit_depth"] == "float":
        fault = Fault("flac cannot hold float samples", "set bit_depth to 24, or remove flac")
        yield Conflict(("formats", "bit_depth"), fault)


class SharedSpecs:
    """Makes the shared parts of assets from settled values."""

    def __init__(self) -> None:
        self._mastering: dict[MasteringSpec, MasteringSpec] = {}
        self._delivery: dict[DeliverySpec, DeliverySpec] = {}
        self._quality: dict[QualitySpec, QualitySpec] = {}
        self._sampling: dict[Sampling, Sampling] = {}
        self._hearing: dict[Hearing, Hearing] = {}

    def mastering(self, values: Values) -> MasteringSpec:
        """How the takes are mastered. A loop is neither faded nor trimmed, and only a loop needs a tempo."""
        loop = values["loop"]
        spec = MasteringSpec(
            loudness_lufs=values["loudness"],
            true_peak_dbtp=values["true_peak"],
            sample_rate_hz=values["sample_rate"],
            channels=values["channels"],
            duration_s=values["duration"],
            loop=loop,
            bpm=values["bpm"] if loop else None,
            trim=values["trim"] and not loop,
            fade_in_s=0.0 if loop else values["fade"]["in_"],
            fade_out_s=0.0 if loop else values["fade"]["out"],
            fade_curve="s_curve" if loop else values["fade"]["curve"],
            intro_s=intro_seconds(values["intro"], values["bpm"]) if loop else 0.0,
            exact=values["exact"],
            width=values["width"],
        )
        return self._mastering.setdefault(spec, spec)

    def delivery(self, values: Values) -> DeliverySpec:
        """Which files are made."""
        spec = DeliverySpec(formats=values["formats"], bit_depth=values["bit_depth"])
        return self._delivery.setdefault(spec, spec)

    def quality(self, values: Values) -> QualitySpec:
        """Where the gates close."""
        said = values["quality"]
        spec = QualitySpec(
            gate=said["gate"],
            silence_lufs=said["silence"],
            clipping=said["clipping"],
            dc=said["dc"],
            noise=said["noise"],
            tail_noise_db=said["tail_noise"],
            seam=said["seam"],
            duplicates=said["duplicates"],
        )
        return self._quality.setdefault(spec, spec)

    def sampling(self, values: Values) -> Sampling:
        """How a language model draws."""
        spec = Sampling(**values["sampling"])
        return self._sampling.setdefault(spec, spec)

    def hearing(self, said: StyleKeys | None) -> Hearing:
        """How a style is heard."""
        spec = hearing_of(said)
        return self._hearing.setdefault(spec, spec)


def hearing_of(said: StyleKeys | None) -> Hearing:
    """How a style is heard, with the usual values for what is not written."""
    usual = Hearing()
    if said is None:
        return usual
    return Hearing(
        at_s=said.at,
        excerpt_s=usual.excerpt_s if said.excerpt is None else said.excerpt,
        codebooks=usual.codebooks if said.codebooks is None else said.codebooks,
        text=usual.text if said.text is None else said.text,
    )
