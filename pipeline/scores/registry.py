"""Finding scores by name: the built-in ones, then those of the entry point group ``cuesmith.scores``."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from pipeline.errors import MachineError, UsageError
from pipeline.scores.protocol import Score, Scorer

_BUILT_IN = {"clap": "pipeline.scores.clap", "vocals": "pipeline.scores.vocals"}
_PLUGINS = "pipeline.generators.plugins"
_GROUP = "cuesmith.scores"


def score_names() -> tuple[str, ...]:
    """Names of every installed score, sorted."""
    return tuple(sorted({*_BUILT_IN, *import_module(_PLUGINS).names(_GROUP)}))


@cache
def find_score(name: str) -> Score:
    """The score ``name``; only its light part is imported.

    Raises `UsageError` if there is none, `MachineError` if it cannot be imported.
    """
    try:
        found: object = (
            import_module(_BUILT_IN[name]).SCORE
            if name in _BUILT_IN
            else import_module(_PLUGINS).load(name, _GROUP)
        )
    except ImportError as error:
        raise MachineError(f"score {name!r} cannot be imported: {error}; reinstall its package") from error
    except KeyError:
        installed = ", ".join(score_names())
        raise UsageError(f"score {name!r} is not installed; installed scores: {installed}") from None
    if not isinstance(found, Score):
        raise MachineError(
            f"score {name!r} is {found!r}, which does not implement Score; see docs/quality.md"
        )
    return found


@cache
def open_score(name: str) -> Scorer:
    """The score ``name``, loaded once in this process. Raises `MachineError`."""
    return find_score(name).open()
