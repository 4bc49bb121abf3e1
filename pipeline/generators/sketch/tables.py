"""A short way to write word tables: each weight with the words that carry it."""

from __future__ import annotations

from pipeline.generators.sketch.text import term


def weights(*rows: tuple[float, str]) -> dict[str, float]:
    """A table of terms (stems, phrases joined by ``_``) and weights; the first row that has a term decides.

    >>> weights((3, "gravel pebbles"), (1, "path gravelly"))
    {'gravel': 3, 'pebbl': 3, 'path': 1}
    """
    table: dict[str, float] = {}
    for weight, words in rows:
        for word in words.split():
            table.setdefault(term(word), weight)
    return table
