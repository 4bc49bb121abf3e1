"""Finding scores by name: the built-in ones, then those of the entry point group ``cuesmith.scores``."""

from __future__ import annotations

from functools import cache

from pipeline.generators.registry import Plugins
from pipeline.scores.protocol import Score

_BUILT_IN = {"clap": "pipeline.scores.clap", "vocals": "pipeline.scores.vocals"}
_SCORES: Plugins[Score] = Plugins("score", _BUILT_IN, Score, "docs/quality.md")

score_names = _SCORES.names
find_score = cache(_SCORES.find)
"""See `Plugins.find`."""
open_score = cache(lambda name: find_score(name).open())
"""A score, loaded once in this process. Raises `MachineError`."""
