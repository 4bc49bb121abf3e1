"""Settings that cannot stand together, whoever wrote them."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

from pipeline.manifest.faults import Fault, list_names
from pipeline.manifest.settings import Values

_OPUS_RATES = (8000, 16000, 24000, 48000)
_MP3_HIGHEST = 48000
_BEATS_A_BAR = 4


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
    if values["bpm"] is not None:
        bar = _BEATS_A_BAR * 60 / values["bpm"]
        if values["duration"] < bar:
            what = f"{values['duration']:g} s holds no whole bar at {values['bpm']:g} bpm"
            remedy = f"write {bar:.3g}s or more, or remove bpm for a loop in free time"
            yield Conflict(("duration", "loop", "bpm"), Fault(what, remedy))


def _fades(values: Values) -> Iterator[Conflict]:
    fades = sum(values["fade"].values())
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
