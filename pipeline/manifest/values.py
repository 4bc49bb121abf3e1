"""The values of the manifest language: units, ranges, messages, JSON Schema.

A reader takes what `problems.to_data` gives (text, None, a list or a dictionary) and returns the value or raises
`Fault`. The same object makes the schema for editors, so that both accept the same text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from pipeline.manifest.problems import Fault, list_names, quote, suggest
from pipeline.manifest.spec import GateReason

JsonSchema = dict[str, Any]
_NULL: JsonSchema = {"type": "null"}

_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_WHOLE = r"[+-]?[0-9]+"
_CLOCK = r"[0-9]+:[0-5][0-9](\.[0-9]+)?"
_AMOUNT = re.compile(rf"({_NUMBER}) *([A-Za-z]+)?")
_LONGEST_NUMBER = 40
_NOT_FINITE = re.compile(r"[+-]?\.?(inf|infinity|nan)", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def shape(value: object) -> str:
    """What a person calls the kind of ``value``."""
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else "a single value"


def nothing(example: str) -> Fault:
    """The fault of a key without a value."""
    return Fault("has no value", f"write {example}, or remove the line")


def written(value: object, example: str) -> str:
    """The text of a scalar; anything else is a fault."""
    if value is None:
        raise nothing(example)
    if not isinstance(value, str):
        raise Fault(f"is {shape(value)}", f"write {example}")
    return value


def _any_case(word: str) -> str:
    """A pattern that JavaScript's regular expressions read too.

    >>> _any_case("ms")
    '[Mm][Ss]'
    """
    return "".join(f"[{letter.upper()}{letter}]" for letter in word)


@dataclass(frozen=True)
class Quantity:
    """A number with or without a unit, within a range. Numbers are decimal: ``017`` is 17."""

    noun: str
    example: str
    low: str
    high: str
    """The range, as a person would write it."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Unit in small letters to the decimal factor that it stands for."""
    whole: bool = False
    clock: bool = False
    """Also ``minutes:seconds``."""

    @cached_property
    def _range(self) -> tuple[Decimal, Decimal]:
        return self._amount(self.low) or Decimal(0), self._amount(self.high) or Decimal(0)

    def _amount(self, text: str) -> Decimal | None:
        if self.clock and re.fullmatch(_CLOCK, text):
            minutes, seconds = text.split(":")
            return Decimal(minutes) * 60 + Decimal(seconds)
        found = _AMOUNT.fullmatch(text)
        if found is None or (self.whole and not re.fullmatch(_WHOLE, found[1])):
            return None
        unit = found[2]
        factor = self.units.get(unit.casefold()) if unit else "1"
        return None if factor is None else Decimal(found[1]) * Decimal(factor)

    def read(self, value: object) -> float:
        """The number, in the quantity's own unit."""
        text = written(value, self.example).strip()
        if _NOT_FINITE.fullmatch(text):
            raise Fault(f"{quote(text)} is not a finite number", f"write {self.example}")
        amount = self._amount(text) if len(text) <= _LONGEST_NUMBER else None
        if amount is None:
            raise Fault(f"{quote(text)} is not {self.noun}", f"write {self.example}")
        low, high = self._range
        if not low <= amount <= high:
            raise Fault(f"{quote(text)} is out of range", f"write {self.noun} from {self.low} to {self.high}")
        return int(amount) if self.whole else float(amount)

    @property
    def pattern(self) -> str:
        """Of every text that `read` takes."""
        units = "|".join(_any_case(unit) for unit in self.units)
        number = _WHOLE if self.whole else _NUMBER
        return f"^({number}{f' *({units})?' if units else ''}{'|' + _CLOCK if self.clock else ''})$"

    def read_or_none(self, value: object) -> float | None:
        """As `read`; an empty value takes back what a default says."""
        return None if value is None else self.read(value)

    def schema(self, nullable: bool = False) -> JsonSchema:
        """JSON Schema of every form that `read` takes."""
        low, high = self._range
        plain: JsonSchema = {
            "type": "integer" if self.whole else "number",
            "minimum": int(low) if self.whole else float(low),
            "maximum": int(high) if self.whole else float(high),
        }
        return {"anyOf": [plain, {"type": "string", "pattern": self.pattern}, *([_NULL] if nullable else [])]}


@dataclass(frozen=True)
class OneOf:
    """One of a few names."""

    noun: str
    known: tuple[str, ...]
    also: tuple[int, ...] = ()
    """Forms that a YAML editor takes for whole numbers."""

    def read(self, value: object) -> str:
        """The name, exactly as it is known."""
        text = written(value, f"one of {list_names(self.known)}")
        if text not in self.known:
            raise Fault(f"{quote(text)} is not {self.noun}", suggest(text, self.known, "write one of"))
        return text

    def schema(self) -> JsonSchema:
        """JSON Schema of the names."""
        return {"enum": [*self.known, *self.also]}


@dataclass(frozen=True)
class Text:
    """Text for people or for a model: visible characters only, of bounded length."""

    noun: str
    example: str
    limit: int
    fold: bool = False
    """Line ends and runs of spaces become one space, so that a long text may be wrapped."""
    pattern: str | None = None
    remedy: str = ""
    """What to do where ``pattern`` does not match."""
    form: str | None = None
    """Pattern of what editors take, for a text whose placeholders are filled in before it is checked."""

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        return re.compile(self.pattern) if self.pattern else None

    def read(self, value: object) -> str:
        """The text."""
        text = written(value, self.example)
        if self.fold:
            text = " ".join(text.split())
        return self.check(text)

    def check(self, text: str) -> str:
        """``text`` itself if it can stand."""
        if not text:
            raise Fault("is empty", f"write {self.example}")
        if len(text) > self.limit:
            what = f"{quote(text)} has {len(text)} characters"
            raise Fault(what, f"shorten it to {self.limit} or fewer")
        odd = _CONTROL.search(text)
        if odd:
            raise Fault(f"{quote(text)} holds the invisible character {odd[0]!r}", "remove it")
        if self._pattern and not self._pattern.fullmatch(text):
            raise Fault(f"{quote(text)} is not {self.noun}", self.remedy)
        return text

    def read_or_none(self, value: object) -> str | None:
        """As `read`; an empty value takes back what a default says."""
        return None if value is None else self.read(value)

    def schema(self, nullable: bool = False) -> JsonSchema:
        """JSON Schema: whatever YAML editors may take the text for."""
        types = ["string", "number", "boolean", *(["null"] if nullable else [])]
        schema: JsonSchema = {"type": types, "minLength": 1, "maxLength": self.limit}
        pattern = self.form or (f"^{self.pattern}$" if self.pattern else None)
        return schema | ({"pattern": pattern} if pattern else {})


RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000)
FORMATS = ("wav", "flac", "ogg", "opus", "mp3", "m4a")

DURATION = Quantity(
    "a duration",
    "40s, 1.5 s, 600ms, 2min or 1:30",
    "0.01s",
    "60min",
    {"ms": "0.001", "s": "1", "min": "60"},
    clock=True,
)
FADE = Quantity("a duration", "a duration such as 20ms", "0s", "30s", {"ms": "0.001", "s": "1"})
LOUDNESS = Quantity("a loudness", "-16 LUFS or -16", "-60 LUFS", "0 LUFS", {"lufs": "1", "lkfs": "1"})
TRUE_PEAK = Quantity("a true peak", "-1 dBTP or -1", "-20 dBTP", "0 dBTP", {"dbtp": "1"})
TEMPO = Quantity("a tempo", "beats a minute such as 92", "20", "400")
VARIATIONS = Quantity("a whole number", "a whole number such as 4", "1", "999", whole=True)
CANDIDATES = Quantity("a whole number", "a whole number such as 3", "1", "64", whole=True)
SEED = Quantity("a whole number", "a whole number such as 7", "0", str(2**53 - 1), whole=True)
CHANNELS = Quantity("a number of channels", "1 or 2", "1", "2", whole=True)
TEMPERATURE = Quantity("a number", "a number such as 1.0", "0", "10")
TOP_K = Quantity("a whole number", "a whole number such as 250", "0", "100000", whole=True)
TOP_P = Quantity("a number", "a number such as 0.9", "0", "1")
GUIDANCE = Quantity("a number", "a number such as 3.0", "0", "30")
PLACE = replace(DURATION, low="0s")
EXCERPT = Quantity("a duration", "a duration such as 3s", "1.5s", "4.5s", {"ms": "0.001", "s": "1"})
CODEBOOKS = Quantity("a whole number", "a whole number such as 3", "1", "6", whole=True)
TEXT_PUSH = Quantity("a number", "a number such as 5", "1", "9")

WIDTH = Quantity("a width", "a width such as 1", "0", "2")
_SPAN_EXAMPLE = "2 bars, 6 beats or 4s"
_INTRO = Quantity(
    "a length", _SPAN_EXAMPLE, "0.01s", "60min", {"ms": "0.001", "s": "1", "min": "60"}, clock=True
)
BEATS = Quantity(
    "a number of bars",
    _SPAN_EXAMPLE,
    "1 beat",
    "1000 bars",
    {"bar": "4", "bars": "4", "beat": "1", "beats": "1"},
)

KIND = OneOf("a kind", ("music", "sfx"))
LICENSE = OneOf("a licence policy", ("any", "commercial"))
CREDENTIALS = OneOf("a credentials policy", ("none", "development", "required"))
ALLOWED = OneOf(
    "a reason that a channel can allow",
    tuple(reason.value for reason in GateReason if reason != GateReason.VERIFICATION),
)
"""Damaged files ship nowhere."""
DECODER = OneOf("a decoder", ("encodec", "mbd"))
FORMAT = OneOf("a format", FORMATS)
FADE_CURVE = OneOf("a curve", ("s_curve", "linear", "equal_power", "exponential"))
BIT_DEPTH = OneOf("a bit depth", ("16", "24", "float"), (16, 24))

TAIL_NOISE = Quantity("a rise in decibels", "a rise such as 12 dB", "0 dB", "120 dB", {"db": "1"})
SHARE = Quantity("a share", "a share such as 0.02", "0", "1")
SEAM = Quantity("a number", "a number such as 1.2", "0.1", "100")
SIMILARITY = Quantity("a similarity", "a similarity such as 0.95", "0.5", "1")

PLACEHOLDER = "[A-Za-z_][A-Za-z0-9_]*"
_FILLED = rf"\{{{PLACEHOLDER}\}}"
_PART = f"([A-Za-z0-9_]|{_FILLED})(([A-Za-z0-9_.-]|{_FILLED})*([A-Za-z0-9_-]|{_FILLED}))?"
"""Of an id, with names of for_each in braces."""

PROMPT = Text("a prompt", "the sound in words", 2000, fold=True, form=r"\S")
TAG = Text("a tag", "a short text", 64)
NAMING = Text(
    "a naming template",
    "a template such as {id}_{variation}, or ucs",
    200,
    form=r"\{variation\}|^ucs$",
)
PIECE = Text("a value", "a short text", 200)
ID = Text("an id", "an id such as sfx/door/wood", 200, form=f"^{_PART}(/{_PART})*$")
NAME = Text("a name", "a name such as emberfall", 120, form="^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_-])?$")
PATH = Text("a path", "a path such as audio/theme.wav", 240)
INCLUDED = replace(PATH, example="a path such as shared/defaults.yaml")
ASSET_FILE = replace(PATH, example="a path such as music.yaml", form=r"\.[Yy][Aa]?[Mm][Ll]$")
MODEL = Text("a model", "a model such as facebook/musicgen-medium", 200)
ENGINE = Text(
    "an engine",
    "an engine such as sketch",
    64,
    pattern="[A-Za-z0-9][A-Za-z0-9_.-]*",
    remedy="use letters, digits, '_', '-' and '.'",
)
CATEGORY = Text(
    "a UCS CatID",
    "a UCS CatID such as FOOTHmn",
    10,
    pattern="[A-Z][A-Za-z0-9]{2,9}",
    remedy="write it as the UCS list does, such as FOOTHmn or UIClick",
)
FX_NAME = Text(
    "a UCS FXName",
    "a name such as Step Gravel",
    25,
    pattern="[^_]+",
    remedy="use spaces in place of '_', which separates the parts of a UCS file name",
)


def read_flag(value: object) -> bool:
    """``true`` or ``false``, and nothing that YAML has ever taken for them."""
    text = written(value, "true or false")
    if text not in ("true", "false"):
        raise Fault(f"{quote(text)} is neither true nor false", "write true or false")
    return text == "true"


def flag_schema() -> JsonSchema:
    """JSON Schema of what `read_flag` takes."""
    return {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": "^(true|false)$"}]}


class Beats(float):
    """A length in beats, four to a bar; seconds are plain numbers."""


def read_span(value: object) -> float:
    """A length in bars or beats (`Beats`), or in seconds."""
    text = written(value, BEATS.example)
    return Beats(BEATS.read(text)) if re.search("bar|beat", text, re.IGNORECASE) else _INTRO.read(text)


def span_schema() -> JsonSchema:
    """JSON Schema of what `read_span` takes."""
    beats: JsonSchema = {"type": "string", "pattern": BEATS.pattern}
    return {"anyOf": [*_INTRO.schema()["anyOf"], beats]}


_RATE = Quantity("a sample rate", "48000, 48 kHz or 44.1 kHz", "1", "1000 kHz", {"hz": "1", "khz": "1000"})


def read_rate(value: object) -> int:
    """A sample rate in Hz, one of `RATES`."""
    rate = _RATE.read(value)
    if rate not in RATES:
        what = f"{quote(str(value))} is not a rate that players know"
        raise Fault(what, f"write one of {list_names(map(str, RATES))}")
    return int(rate)


def rate_schema() -> JsonSchema:
    """JSON Schema of what `read_rate` takes."""
    return {"anyOf": [{"enum": list(RATES)}, _RATE.schema()["anyOf"][1]]}


def read_version(value: object) -> int:
    """The manifest language's version."""
    text = written(value, "1")
    if text == "1":
        return 1
    if re.fullmatch("[0-9]{1,9}", text) and int(text) > 1:
        what = f"schema version {text} is newer than this release reads"
        raise Fault(what, "write cuesmith: 1, or upgrade Cuesmith")
    raise Fault(f"{quote(text)} is not a schema version", "write cuesmith: 1")


def version_schema() -> JsonSchema:
    """JSON Schema of what `read_version` takes."""
    return {"anyOf": [{"const": 1}, {"type": "string", "pattern": "^1$"}]}


def at_most(limit: int) -> Callable[[object], object]:
    """A check that a list is no longer than ``limit``, before any of its values is looked at."""

    def check(value: object) -> object:
        if isinstance(value, list) and len(value) > limit:
            raise Fault(f"holds {len(value):,} values", f"shorten it to {limit:,} or fewer")
        return value

    return check


def refuse_null(value: object) -> object:
    """A key that must have something under it, if it is written at all."""
    if value is None:
        raise nothing("one")
    return value
