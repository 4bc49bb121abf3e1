"""Finding scores by name: the built-in ones, then those of the entry point group ``cuesmith.scores``."""

from __future__ import annotations

from functools import cache
from typing import cast

from pipeline.generators.registry import PluginKind
from pipeline.scores.protocol import Score, Scorer

_SCORES = PluginKind(
    "score",
    "cuesmith.scores",
    {"clap": "pipeline.scores.clap", "vocals": "pipeline.scores.vocals"},
    "SCORE",
    Score,
    "docs/quality.md",
)


def score_names() -> tuple[str, ...]:
    """Names of every installed score, sorted."""
    return _SCORES.names()


@cache
def find_score(name: str) -> Score:
    """The score ``name``; only its light part is imported.

    Raises `UsageError` if there is none, `MachineError` if it cannot be imported.
    """
    return cast(Score, _SCORES.find(name))


@cache
def open_score(name: str) -> Scorer:
    """The score ``name``, loaded once in this process. Raises `MachineError`."""
    return find_score(name).open()
