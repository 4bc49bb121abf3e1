"""Settings that cannot stand together, whoever wrote them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Set
from dataclasses import dataclass

from pipeline.manifest.problems import Fault, list_names
from pipeline.manifest.settings import Values, intro_seconds
from pipeline.manifest.values import Beats

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
