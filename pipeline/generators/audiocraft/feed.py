"""Takes as the decoder gets them: each prepared from its recipe when there is room for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Lock

from pipeline.errors import GenerationError
from pipeline.generators.audiocraft.takes import Take
from pipeline.generators.protocol import Outcome, RecipeSource
from pipeline.recipe import Recipe

_LATER = 32
"""Takes of another shape that may wait for the end of a session."""


class TakeFeed:
    """Takes of one model: ``first``, then those of ``source``. Thread-safe.

    ``prepare`` raises `GenerationError` for a recipe that cannot be made.
    """

    def __init__(self, first: Recipe, source: RecipeSource, prepare: Callable[[Recipe], Take]) -> None:
        self._source = source
        self._prepare = prepare
        self._first = [first]
        self._later: deque[Take] = deque()
        self._failed: SimpleQueue[Outcome] = SimpleQueue()
        self._lock = Lock()

    def next(self, fits: Callable[[Take], bool] = lambda take: True) -> Take | None:
        """The next take that ``fits``; None if there is none now. The others wait for a later call."""
        with self._lock:
            for take in self._later:
                if fits(take):
                    self._later.remove(take)
                    return take
            while len(self._later) < _LATER:
                recipe = self._first.pop() if self._first else self._source.next()
                if recipe is None:
                    return None
                try:
                    take = self._prepare(recipe)
                except GenerationError as error:
                    self._failed.put((recipe, error))
                    continue
                if fits(take):
                    return take
                self._later.append(take)
            return None

    def failed(self) -> Iterator[Outcome]:
        """Recipes that could not be prepared, since the last call."""
        while not self._failed.empty():
            yield self._failed.get()

    def begin(self, take: Take) -> None:
        """The decoder begins with ``take``."""
        self._source.begin(take.recipe)

    def end(self, take: Take) -> None:
        """The decoder has decoded ``take``."""
        self._source.end(take.recipe)
