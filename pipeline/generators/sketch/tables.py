"""A short way to write word tables: each weight with the words that carry it."""

from __future__ import annotations


def weights(*rows: tuple[float, str]) -> dict[str, float]:
    """A table of words and weights; ``_`` joins a phrase.

    >>> weights((3, "gravel pebble"), (1, "path"))
    {'gravel': 3, 'pebble': 3, 'path': 1}
    """
    return {word: weight for weight, words in rows for word in words.split()}
