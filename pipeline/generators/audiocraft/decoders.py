"""Which decoder decodes a model, and which takes share its next batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from pipeline.generators.audiocraft import iterative, stepwise
from pipeline.generators.audiocraft.library import transformer
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.rows import Decoder, Row
from pipeline.generators.audiocraft.takes import Take


def next_batch(loaded: Loaded, takes: Sequence[Take], slots: int) -> list[Take]:
    """At most ``slots`` of ``takes`` that can be decoded together, those with the most left first."""
    ordered = sorted(takes, key=lambda take: (-take.left, take.recipe.digest))
    shape = _shape(loaded, ordered[0].row)
    return [take for take in ordered if _shape(loaded, take.row) == shape][:slots]


def decode(loaded: Loaded, rows: Sequence[Row], slots: int) -> list[torch.Tensor]:
    """Codes of ``rows`` by the model's own decoder; see `rows.Decoder`."""
    magnet = loaded.model.family == "magnet"
    # AudioCraft keeps this for the whole process, and loading a MAGNeT changes it for every model.
    transformer.set_efficient_attention_backend("xformers" if magnet else "torch")
    decoder: Decoder = iterative.decode if magnet else stepwise.decode
    return decoder(loaded.generator, rows, slots)


def _shape(loaded: Loaded, row: Row) -> tuple[Any, ...]:
    return iterative.shape(row) if loaded.model.family == "magnet" else row.shape
