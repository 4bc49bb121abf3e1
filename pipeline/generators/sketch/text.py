"""A prompt as words: casefolded stems, two-word phrases, the words it denies, and weighted word tables."""

from __future__ import annotations

import hashlib
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

LONGEST = 400
"""Words read of a prompt; later ones are ignored."""

_TOKEN = re.compile(r"[^\W_]+|[,.;:!?()/\[\]]")
_NEGATIONS = frozenset({"no", "not", "without", "never", "sans", "minus", "non"})
_BREAKS = frozenset({"but", "with", "just", "only", "plus", "yet", "then"})
_NEGATION_REACH = 4
_SUFFIXES = ("ingly", "edly", "ings", "ing", "ed", "ly", "ness", "es", "s")
_SHORTEST_STEM = 3
_DOUBLED_ENDINGS = "lszf"


@cache
def stem(word: str) -> str:
    """A word without its English endings, so that ``howls``, ``howling`` and ``howl`` are one.

    >>> stem("howling") == stem("howls") == stem("howl")
    True
    >>> stem("stony") == stem("stone"), stem("running") == stem("run"), stem("grassy") == stem("grass")
    (True, True, True)
    """
    for suffix in _SUFFIXES:
        base = word.removesuffix(suffix)
        if base != word and len(base) >= _SHORTEST_STEM and not (suffix == "s" and base.endswith("s")):
            word = base
            if len(word) > _SHORTEST_STEM and word[-1] == word[-2] and word[-1] not in _DOUBLED_ENDINGS:
                word = word[:-1]
            break
    if len(word) > _SHORTEST_STEM and word[-1] in "eyi":
        word = word[:-1]
    return word


@cache
def term(entry: str) -> str:
    """A lexicon entry in the form that prompts are searched for: stems, joined by ``_`` in a phrase."""
    return "_".join(stem(part) for part in entry.casefold().split("_"))


@dataclass(frozen=True)
class Words:
    """The words of a prompt: each stem or two-word phrase with its first position, and the negated ones."""

    places: Mapping[str, int]
    denied: frozenset[str]
    fingerprint: int
    """64 bits of a hash over all words; prompts with different words get different numbers."""

    def has(self, *entries: str) -> bool:
        """Whether the prompt contains any of these lexicon entries (``big``, ``level_up``)."""
        return any(term(entry) in self.places for entry in entries)

    def denies(self, *entries: str) -> bool:
        """Whether the prompt excludes any of these (``no drums``)."""
        return any(term(entry) in self.denied for entry in entries)

    def first(self, *entries: str) -> float:
        """Position of the first of these in the prompt, in words; infinite without any."""
        return min(self.places.get(term(entry), math.inf) for entry in entries)


def read_words(text: str) -> Words:
    """The words of ``text`` in any language; unknown words still enter the fingerprint.

    >>> words = read_words("Calm forest, no drums or bass, airy flutes")
    >>> words.has("flute"), words.has("drum"), words.denies("drum", "bass")
    (True, False, True)
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    places: dict[str, int] = {}
    denied: set[str] = set()
    reach = 0
    previous = ""
    spoken: list[str] = []
    for place, token in enumerate(_TOKEN.findall(folded)[:LONGEST]):
        if not token[0].isalnum() or token in _BREAKS:
            reach, previous = 0, ""
            continue
        if token in _NEGATIONS:
            reach, previous = _NEGATION_REACH, ""
            continue
        current = stem(token)
        spoken.append(f"-{current}" if reach else current)
        for name in (current, f"{previous}_{current}") if previous else (current,):
            if reach:
                denied.add(name)
            else:
                places.setdefault(name, place)
        reach = max(0, reach - 1)
        previous = current
    digest = hashlib.sha256(" ".join(spoken).encode("utf-8", "surrogatepass")).digest()
    return Words(places, frozenset(denied), int.from_bytes(digest[:8], "big"))


def named_values(words: Words, table: Mapping[float, str]) -> list[float]:
    """The values of ``table`` whose words (separated by spaces) the prompt contains; a value counts for each word."""
    return [value for value, names in table.items() for name in names.split() if words.has(name)]


def score(words: Words, weights: Mapping[str, float]) -> float:
    """Sum of the weights of the terms in ``words``; early ones count a little more."""
    return sum(
        weight * (1.0 + 0.3 / (1 + words.places[name]))
        for name, weight in weights.items()
        if name in words.places
    )


def weight_tables(text: str) -> dict[str, dict[str, float]]:
    """Named tables of terms (stems, phrases joined by ``_``) and weights; the first row that has a term decides.

    A row holds a name, a weight and words; rows without a name belong to the last one.

    >>> weight_tables("ground  3 gravel pebbles\\n        1 path gravelly")
    {'ground': {'gravel': 3, 'pebbl': 3, 'path': 1}}
    """
    tables: dict[str, dict[str, float]] = {}
    table: dict[str, float] = {}
    for name, weight, words in re.findall(r"^(\S.*?)? +(\d) (.+)$", text, re.MULTILINE):
        if name:
            table = tables.setdefault(name, {})
        for word in words.split():
            table.setdefault(term(word), int(weight))
    return tables
