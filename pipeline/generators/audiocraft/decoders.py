"""Takes into codes: which decoder decodes a model, and which takes share its next batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from pipeline.errors import GenerationError
from pipeline.generators.audiocraft import iterative, stepwise
from pipeline.generators.audiocraft.library import transformer
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.memory import stepping_down
from pipeline.generators.audiocraft.rows import Decoder, Row
from pipeline.generators.audiocraft.takes import Take, not_numbers


def decode_all(loaded: Loaded, takes: Sequence[Take], slots: int) -> Iterator[tuple[list[Take], int]]:
    """Make the codes of ``takes``; yields those that ended together, done or with an error, and the rows in use.

    Begins with ``slots`` rows and goes on with half as many each time memory runs out.
    """
    pending = list(takes)
    while pending:
        batch = _next_batch(loaded, pending, slots)
        try:
            codes, slots = stepping_down(
                lambda part, rows: _decode(loaded, [take.row for take in part], rows), batch, slots
            )
        except GenerationError as error:
            codes = [None] * len(batch)
            for take in batch:
                take.error = error
        for take, found in zip(batch, codes, strict=True):
            if found is not None:
                take.advance(found)
            elif take.error is None:
                take.error = not_numbers(loaded.dtype)
        ended = [take for take in batch if take.done or take.error]
        pending = [take for take in pending if take not in ended]
        if ended:
            yield ended, slots


def _next_batch(loaded: Loaded, takes: Sequence[Take], slots: int) -> list[Take]:
    """At most ``slots`` of ``takes`` that can be decoded together, those with the most left first."""
    ordered = sorted(takes, key=lambda take: (-take.left, take.recipe.digest))
    shape = _shape(loaded, ordered[0].row)
    return [take for take in ordered if _shape(loaded, take.row) == shape][:slots]


def _decode(loaded: Loaded, rows: Sequence[Row], slots: int) -> list[torch.Tensor | None]:
    magnet = loaded.model.family == "magnet"
    # AudioCraft keeps this for the whole process, and loading a MAGNeT changes it for every model.
    transformer.set_efficient_attention_backend("xformers" if magnet else "torch")
    decoder: Decoder = iterative.decode if magnet else stepwise.decode
    return decoder(loaded.generator, rows, slots)


def _shape(loaded: Loaded, row: Row) -> tuple[Any, ...]:
    return iterative.shape(row) if loaded.model.family == "magnet" else row.shape
