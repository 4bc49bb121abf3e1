"""How a kind of value is written: readers of text with units, ranges, words for faults and a JSON Schema.

A reader takes what `nodes.to_data` gives (text, None, a list or a dictionary) and returns the value or raises
`Fault`. The same object gives editors the schema, so that both accept the same text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from pipeline.manifest.problems import Fault, list_names, quote, suggest

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
