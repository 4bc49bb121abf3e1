"""The prompt policy: words and patterns that prompts may not or should not contain, with reasons and exceptions.

A text is compared by words, without regard to case, accents, full-width forms, invisible characters and punctuation:
``Coca-Cola`` also finds ``COCA COLA``. Words of scripts without spaces are found inside longer runs. In a pattern ``*``
stands for any letters in one word. There are no regular expressions of users, so no pattern can be slow.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal

from pipeline.manifest.problems import quote

Level = Literal["forbid", "warn"]
LEVELS: tuple[Level, ...] = ("forbid", "warn")
REMEDY = "describe the sound without it, or add an exception to policy"

_WORD = re.compile(r"[^\W_]+")
_PATTERN_WORD = re.compile(r"(?:[^\W_]|\*)+")
_STARS = re.compile(r"\*+")
_WITHOUT_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")
"""Beginnings of the Unicode names of letters in scripts that do not separate words, or join particles to them."""


def normalized(text: str) -> str:
    """``text`` in the form that is compared.

    >>> normalized("Ｍötley\\u200b CRÜE")
    'motley crue'
    """
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    kept = (char for char in parts if not "\u0300" <= char <= "\u036f" and unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFC", "".join(kept))


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared."""
    return _WORD.findall(normalized(text))


@dataclass(frozen=True, slots=True)
class Rule:
    """One word, phrase or pattern of a policy."""

    level: Level
    text: str
    """As it is written."""
    reason: str
    is_pattern: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """What it compares, word by word; empty if the text has no letter or digit."""
        text = _STARS.sub("*", normalized(self.text))
        words = tuple((_PATTERN_WORD if self.is_pattern else _WORD).findall(text))
        return words if any(word.strip("*") for word in words) else ()


@dataclass(frozen=True, slots=True)
class PolicyException:
    """Prompts that may contain certain words, who decided this, and why."""

    words: tuple[str, ...]
    """Words or patterns of rules, as written there."""
    assets: tuple[str, ...]
    """Ids or globs of assets."""
    by: str
    reason: str

    def covers(self, asset: str, rule: Rule) -> bool:
        """Whether the rule does not count for the asset."""
        text = normalized(rule.text)
        return any(normalized(word) == text for word in self.words) and any(
            fnmatchcase(asset, glob) for glob in self.assets
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a prompt breaks."""

    rule: Rule
    found: str
    """The words of the prompt, as they are compared."""
    exception: PolicyException | None
    """Why it is allowed."""

    @property
    def what(self) -> str:
        """The finding in words."""
        by = f" (pattern {quote(self.rule.text)})" if self.rule.is_pattern else ""
        verb = "is forbidden" if self.rule.level == "forbid" else "needs care"
        return (
            f"{quote(self.found if self.rule.is_pattern else self.rule.text)}{by} {verb}: {self.rule.reason}"
        )


@dataclass(frozen=True)
class Policy:
    """All rules and exceptions of a project."""

    rules: tuple[Rule, ...] = ()
    exceptions: tuple[PolicyException, ...] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Policy:
        """The policy in the form of a manifest's ``policy``, which the catalog stores too."""
        rules = [
            Rule(level, text, item["reason"], key == "patterns")
            for level in LEVELS
            for item in value.get(level, ())
            for key in ("words", "patterns")
            for text in item.get(key, ())
        ]
        exceptions = [
            PolicyException(tuple(item["words"]), tuple(item["assets"]), item["by"], item["reason"])
            for item in value.get("exceptions", ())
        ]
        return cls(tuple(rule for rule in dict.fromkeys(rules) if rule.words), tuple(exceptions))

    def findings(self, asset: str, prompt: str) -> Iterator[Finding]:
        """Every rule that the prompt of an asset breaks, also those with an exception."""
        if not self.rules:
            return
        for rule, found in self._broken(words_of(prompt)):
            exception = next((item for item in self.exceptions if item.covers(asset, rule)), None)
            yield Finding(rule, found, exception)

    @cached_property
    def _by_first_word(self) -> Mapping[str, Sequence[tuple[Rule, tuple[str, ...]]]]:
        """Rules of plain words by their first word."""
        index: dict[str, list[tuple[Rule, tuple[str, ...]]]] = {}
        for rule in self.rules:
            if not rule.is_pattern:
                index.setdefault(rule.words[0], []).append((rule, rule.words))
        return index

    @cached_property
    def _others(self) -> Sequence[tuple[Rule, str, tuple[str, ...]]]:
        """Patterns, and words of scripts without spaces: letters that prompts must contain, and globs of words."""
        others: list[tuple[Rule, str, tuple[str, ...]]] = []
        for rule in self.rules:
            if rule.is_pattern:
                longest = max("*".join(rule.words).split("*"), key=len)
                others.append((rule, longest, rule.words))
            elif any(map(_is_without_spaces, rule.text)):
                others.append((rule, "".join(rule.words), ()))
        return others

    def _broken(self, words: Sequence[str]) -> Iterator[tuple[Rule, str]]:
        found: dict[Rule, str] = {}
        for place, word in enumerate(words):
            for rule, sought in self._by_first_word.get(word, ()):
                if tuple(words[place : place + len(sought)]) == sought:
                    found.setdefault(rule, " ".join(sought))
        joined = "".join(words)
        for rule, letters, globs in self._others:
            if letters in joined and (text := _first_match(words, globs) if globs else letters):
                found.setdefault(rule, text)
        yield from ((rule, found[rule]) for rule in self.rules if rule in found)


def _first_match(words: Sequence[str], globs: Sequence[str]) -> str:
    """The first words that ``globs`` match, one each; empty if there are none. `fnmatch` never backtracks."""
    for place in range(len(words) - len(globs) + 1):
        part = words[place : place + len(globs)]
        if all(map(fnmatchcase, part, globs)):
            return " ".join(part)
    return ""


def _is_without_spaces(char: str) -> bool:
    return unicodedata.name(char, "").startswith(_WITHOUT_SPACES)


def merged(policies: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The policies of several files as one, in JSON: rules and exceptions add up."""
    result: dict[str, list[dict[str, Any]]] = {}
    for policy in policies:
        for key, items in policy.items():
            # JSON has lists in place of tuples.
            result.setdefault(key, []).extend(json.loads(json.dumps(items)))
    return result
