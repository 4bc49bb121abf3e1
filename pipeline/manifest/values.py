"""The values of the manifest language: how each kind is written, its range, its messages, its JSON Schema.

A reader takes what `problems.to_data` gives (text, None, a list or a dictionary) and returns the value or raises
`Fault`. The same object makes the schema for editors, so that both accept the same text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Any

from pipeline.formats import FORMAT_NAMES
from pipeline.manifest.problems import Fault, list_names, quote, suggest
from pipeline.manifest.spec import GateReason

JsonSchema = dict[str, Any]

_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_WHOLE = r"[+-]?[0-9]+"
_CLOCK = r"[0-9]+:[0-5][0-9](\.[0-9]+)?"
_AMOUNT = re.compile(rf"({_NUMBER}) *([A-Za-z]+)?")
_LONGEST_NUMBER = 40
_NOT_FINITE = re.compile(r"[+-]?\.?(inf|infinity|nan)", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def shape(value: object) -> str:
    """The kind of ``value`` in words."""
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
    """Unit in small letters to its decimal factor."""
    whole: bool = False
    clock: bool = False
    """Also ``minutes:seconds``."""
    unit: str = ""
    """What a reason writes after the number, such as `` LUFS``."""
    nullable: bool = False
    """Whether an empty value is allowed: it takes back what a default says."""

    @cached_property
    def _range(self) -> tuple[Decimal, Decimal]:
        return self._amount(self.low) or Decimal(0), self._amount(self.high) or Decimal(0)

    def _amount(self, text: str) -> Decimal | None:
        if self.clock and re.fullmatch(_CLOCK, text):
            minutes, seconds = text.split(":")
            return Decimal(minutes) * 60 + Decimal(seconds)
        amount = _AMOUNT.fullmatch(text)
        if amount is None or (self.whole and not re.fullmatch(_WHOLE, amount[1])):
            return None
        unit = amount[2]
        factor = self.units.get(unit.casefold()) if unit else "1"
        return None if factor is None else Decimal(amount[1]) * Decimal(factor)

    def read(self, value: object) -> float | None:
        """The number, in the quantity's own unit; None only where that is allowed."""
        return None if value is None and self.nullable else self.number(value)

    def number(self, value: object) -> float:
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

    def schema(self) -> JsonSchema:
        """JSON Schema of every form that `read` takes: the range binds numbers, the pattern binds text."""
        low, high = self._range
        types = ["integer" if self.whole else "number", "string", *(["null"] if self.nullable else [])]
        number = int if self.whole else float
        return {"type": types, "minimum": number(low), "maximum": number(high), "pattern": self.pattern}


@dataclass(frozen=True)
class OneOf:
    """One of a few names."""

    noun: str
    known: tuple[str, ...]
    also: tuple[int, ...] = ()
    """Forms that a YAML editor takes for whole numbers."""

    def read(self, value: object) -> str:
        """The name, exactly as it is known."""
        text = written(value, self.example)
        if text not in self.known:
            raise Fault(f"{quote(text)} is not {self.noun}", suggest(text, self.known, "write one of"))
        return text

    def schema(self) -> JsonSchema:
        """JSON Schema of the names."""
        return {"enum": [*self.known, *self.also]}

    @property
    def example(self) -> str:
        """What a message asks for."""
        return f"one of {list_names(self.known)}"


@dataclass(frozen=True)
class Text:
    """Text for people or for a model: visible characters only, of bounded length."""

    noun: str
    example: str
    limit: int | None
    """Characters; None for a text whose placeholders are filled in before its length is checked."""
    fold: bool = False
    """Line ends and runs of spaces become one space, so that a long text may be wrapped."""
    pattern: str | None = None
    remedy: str = ""
    """What to do where ``pattern`` does not match."""
    nullable: bool = False
    """Whether an empty value is allowed: it takes back what a default says."""
    form: str | None = None
    """Pattern of what editors take, for a text whose placeholders are filled in before it is checked."""

    def read(self, value: object) -> str | None:
        """The text; None only where that is allowed."""
        if value is None and self.nullable:
            return None
        text = written(value, self.example)
        if self.fold:
            text = " ".join(text.split())
        return self.check(text)

    def check(self, text: str) -> str:
        """``text`` itself if it is valid. Raises `Fault`."""
        if not text:
            raise Fault("is empty", f"write {self.example}")
        if self.limit is not None and len(text) > self.limit:
            what = f"{quote(text)} has {len(text)} characters"
            raise Fault(what, f"shorten it to {self.limit} or fewer")
        odd = _CONTROL.search(text)
        if odd:
            raise Fault(f"{quote(text)} contains the invisible character {odd[0]!r}", "remove it")
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise Fault(f"{quote(text)} is not {self.noun}", self.remedy)
        return text

    def schema(self) -> JsonSchema:
        """JSON Schema: every type that a YAML editor may read the text as."""
        types = ["string", "number", "boolean", *(["null"] if self.nullable else [])]
        schema: JsonSchema = {"type": types, "minLength": 1}
        schema |= {"maxLength": self.limit} if self.limit else {}
        pattern = self.form or (f"^{self.pattern}$" if self.pattern else None)
        return schema | ({"pattern": pattern} if pattern else {})


class AudioFile(Text):
    """The path of an audio file, which the loader reads and hashes."""


class Flag:
    """``true`` or ``false``, and nothing else that YAML takes for them."""

    example = "true or false"

    def read(self, value: object) -> bool:
        """The flag."""
        text = written(value, self.example)
        if text not in ("true", "false"):
            raise Fault(f"{quote(text)} is neither true nor false", f"write {self.example}")
        return text == "true"

    def schema(self) -> JsonSchema:
        """JSON Schema of what `read` takes."""
        return {"type": ["boolean", "string"], "pattern": "^(true|false)$"}


class Version:
    """The manifest language's version."""

    example = "1"

    def read(self, value: object) -> int:
        """The version."""
        text = written(value, self.example)
        if text == "1":
            return 1
        if re.fullmatch("[0-9]{1,9}", text) and int(text) > 1:
            what = f"schema version {text} is newer than this release reads"
            raise Fault(what, "write cuesmith: 1, or upgrade Cuesmith")
        raise Fault(f"{quote(text)} is not a schema version", "write cuesmith: 1")

    def schema(self) -> JsonSchema:
        """JSON Schema of what `read` takes."""
        return {"enum": [1, "1"]}


RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000)

_SECONDS = {"ms": "0.001", "s": "1"}
_MINUTES = _SECONDS | {"min": "60"}
_BEATS = {"bar": "4", "bars": "4", "beat": "1", "beats": "1"}
_SPAN_EXAMPLE = "2 bars, 6 beats or 4s"

DURATION = Quantity(
    "a duration", "40s, 1.5 s, 600ms, 2min or 1:30", "0.01s", "60min", _MINUTES, clock=True, unit=" s"
)
FADE = Quantity("a duration", "a duration such as 20ms", "0s", "30s", _SECONDS, unit=" s")
INTRO = Quantity("a length", _SPAN_EXAMPLE, "0.01s", "60min", _MINUTES, clock=True)
BEATS = Quantity("a number of bars", _SPAN_EXAMPLE, "1 beat", "1000 bars", _BEATS)
LOUDNESS = Quantity(
    "a loudness", "-16 LUFS or -16", "-60 LUFS", "0 LUFS", {"lufs": "1", "lkfs": "1"}, unit=" LUFS"
)
TRUE_PEAK = Quantity("a true peak", "-1 dBTP or -1", "-20 dBTP", "0 dBTP", {"dbtp": "1"}, unit=" dBTP")
TAIL_NOISE = Quantity("a rise in decibels", "a rise such as 12 dB", "0 dB", "120 dB", {"db": "1"}, unit=" dB")
LIMIT = Quantity(
    "a gain reduction", "a gain reduction such as 9 dB", "0 dB", "24 dB", {"db": "1"}, unit=" dB"
)
TEMPO = Quantity("a tempo", "beats a minute such as 92", "20", "400", nullable=True)
WIDTH = Quantity("a width", "a width such as 1", "0", "2")
SHARE = Quantity("a share", "a share such as 0.02", "0", "1")
SEAM = Quantity("a number", "a number such as 1.2", "0.1", "100")
SIMILARITY = Quantity("a similarity", "a similarity such as 0.95", "0.5", "1")
VARIATIONS = Quantity("a whole number", "a whole number such as 4", "1", "999", whole=True)
CANDIDATES = Quantity("a whole number", "a whole number such as 3", "1", "64", whole=True)
SEED = Quantity("a whole number", "a whole number such as 7", "0", str(2**53 - 1), whole=True)
PRIORITY = Quantity("a whole number", "a whole number such as 10", "-1000", "1000", whole=True)
CHANNELS = Quantity("a number of channels", "1 or 2", "1", "2", whole=True)
BIT_RATE = Quantity("a bit rate", "a bit rate such as 96 kbps", "16", "510", {"kbps": "1"}, unit=" kbps")
FILE_SIZE = Quantity(
    "a size", "a size such as 40 MB", "1 kB", "1000 GB", {"kb": "1e3", "mb": "1e6", "gb": "1e9"}
)

REVENUE = Quantity(
    "a whole number of US dollars", "a whole number such as 1000000", "1", "1000000000000", whole=True
)

SCORE = Quantity("a number", "a number such as 0.2", "-1000000", "1000000")
SCORE_NAME = "[a-z][a-z0-9_-]{0,39}"

KIND = OneOf("a kind", ("music", "sfx"))
LICENSE = OneOf("a licence policy", ("any", "commercial"))
CREDENTIALS = OneOf("a credentials policy", ("none", "development", "required"))
ALLOWED = OneOf(
    "a reason that a channel can allow",
    tuple(
        reason.value for reason in GateReason if reason not in (GateReason.VERIFICATION, GateReason.POLICY)
    ),
)
"""Damaged files ship nowhere, and the policy has exceptions of its own."""
FORMAT = OneOf("a format", FORMAT_NAMES)
GAIN = OneOf("a gain policy", ("shared", "each"))
FADE_CURVE = OneOf("a curve", ("s_curve", "linear", "equal_power", "exponential"))
BIT_DEPTH = OneOf("a bit depth", ("16", "24", "float"), (16, 24))
FLAG = Flag()
VERSION = Version()

PLACEHOLDER = "[A-Za-z_][A-Za-z0-9_]*"
_FILLED = rf"\{{{PLACEHOLDER}\}}"
_PART = f"([A-Za-z0-9_]|{_FILLED})(([A-Za-z0-9_.-]|{_FILLED})*([A-Za-z0-9_-]|{_FILLED}))?"
"""Of an id, with names of for_each in braces."""

PROMPT = Text("a prompt", "the sound in words", 2000, fold=True, form=r"\S")
POLICY_WORD = Text("a word or a name", "words such as Hans Zimmer", 100)
POLICY_PATTERN = Text(
    "a pattern",
    "a pattern such as 'style of *'",
    100,
    pattern=r"[^\\(){}|+?^$\[\]]+",
    remedy="use words and *, which stands for any letters in one word; there are no regular expressions",
)
POLICY_ASSET = Text("an id", "an id or a glob such as music/*", 200)
REASON = Text("a reason", "why, in words", 500, fold=True, form=r"\S")
PERSON = Text("a name", "the name of the person who decided", 120, fold=True, form=r"\S")
TAG = Text("a tag", "a short text", 64)
NAMING = Text(
    "a naming template",
    "a template such as {id}_{variation}, or ucs",
    None,
    form=r"\{variation\}|^ucs$",
)
PIECE = Text("a value", "a short text", 200)
MAX_ID = 120
"""Characters of an id, and of a project's name."""
ID = Text("an id", "an id such as sfx/door/wood", None, form=f"^{_PART}(/{_PART})*$")
NAME = Text(
    "a name", "a name such as emberfall", MAX_ID, form="^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_-])?$"
)
PATH = Text("a path", "a path such as audio/theme.wav", 240)
AUDIO_FILE = AudioFile("a path", "a path such as audio/theme.wav", 240)
INCLUDED = replace(PATH, example="a path such as shared/defaults.yaml")
ASSET_FILE = replace(PATH, example="a path such as music.yaml", form=r"\.[Yy][Aa]?[Mm][Ll]$")
MODEL = Text("a model", "a model such as facebook/musicgen-medium", 200, nullable=True)
ENGINE = Text(
    "an engine",
    "an engine such as sketch",
    64,
    pattern="[A-Za-z0-9][A-Za-z0-9_.-]*",
    remedy="use letters, digits, '_', '-' and '.'",
)
WATERMARK = Text(
    "a watermark",
    "a watermark such as audioseal",
    40,
    pattern="[a-z][a-z0-9_-]*",
    remedy="use lower-case letters, digits, '_' and '-'",
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
FX_TEMPLATE = replace(FX_NAME, limit=None, pattern=None)


class Beats(float):
    """A length in beats, four to a bar; seconds are plain numbers."""


class Span:
    """A length in bars or beats (`Beats`), or in seconds."""

    example = _SPAN_EXAMPLE
    unit = " s"

    def read(self, value: object) -> float:
        """The length."""
        text = written(value, self.example)
        if re.search("bar|beat", text, re.IGNORECASE):
            return Beats(BEATS.number(text))
        return INTRO.number(text)

    def schema(self) -> JsonSchema:
        """JSON Schema of what `read` takes."""
        return INTRO.schema() | {"pattern": f"{INTRO.pattern}|{BEATS.pattern}"}


class Rate:
    """A sample rate in Hz, one of `RATES`."""

    example = "48000, 48 kHz or 44.1 kHz"
    unit = " Hz"
    _any = Quantity("a sample rate", example, "1", "1000 kHz", {"hz": "1", "khz": "1000"})

    def read(self, value: object) -> int:
        """The rate."""
        rate = self._any.number(value)
        if rate not in RATES:
            what = f"{quote(str(value))} is not a sample rate that players support"
            raise Fault(what, f"write one of {list_names(map(str, RATES))}")
        return int(rate)

    def schema(self) -> JsonSchema:
        """JSON Schema of what `read` takes."""
        text = {"pattern": self._any.pattern}
        return {"if": {"type": "string"}, "then": text, "else": {"enum": list(RATES)}}


SPAN = Span()
RATE = Rate()
