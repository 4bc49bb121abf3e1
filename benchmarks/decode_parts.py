"""Where a step of our CUDA kernels goes: each kind of kernel alone, over all layers, beside what its bytes take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import decode as shared
import torch

from pipeline.generators.audiocraft.decoding import weights
from pipeline.generators.audiocraft.decoding.cuda.host import StepGraphs

ROUNDS, REPLAYS = 6, 10


@torch.no_grad()
def where(
    lm: Any, numbers: weights.Weights, positions: Sequence[int], copy_bytes_a_second: float | None
) -> dict[str, Any]:
    """Microseconds a layer of each kind of kernel, with a model that has cross-attention, all slots taken.

    With the rate of copies also those that the weights or the past would take alone. The kernels of a kind follow one
    another through the layers, so that no layer finds its weights in the device's cache.
    """
    decoder = shared.Ours(lm, numbers, positions, backend="triton")._decoder
    cache, text, transformer = decoder._cache, decoder._text, decoder._transformer
    products, layers = transformer._products, numbers.layers
    here = decoder._steps[:, None, None].expand(-1, numbers.codebooks, 1)
    tokens = decoder._codes.gather(2, here).squeeze(2)
    cache.at(decoder._positions)
    x = transformer.embed(tokens).float().repeat_interleave(2, 0)
    first, cross = products[0], layers[0].cross
    normed = transformer._normed(x, None, layers[0].norm_self)
    projected = first.asks(normed)
    delta = first.out(cache.attend(0, projected))
    own = transformer._normed(x, delta, cross.norm, every=2)
    query = first.text_query(own)
    heard = text.attend(0, query)
    wide = first.up(normed)[0]

    def norms(index: int) -> None:
        layer = layers[index]
        transformer._normed(x, delta, layer.norm_self)
        transformer._normed(x, delta, layer.cross.norm, every=2)
        transformer._normed(x, delta, layer.norm_feed)

    size, dim = torch.finfo(numbers.dtype).bits // 8, numbers.dim
    square = size * dim * dim
    kinds: dict[str, tuple[Callable[[int], object], int]] = {
        "attention to the past": (lambda i: cache.attend(i, projected), 4 * size * dim * sum(positions)),
        "query, key, value": (lambda i: products[i].asks(normed), 3 * square),
        "out": (lambda i: products[i].out(normed), square),
        "query of the text": (lambda i: products[i].text_query(own), square),
        "text": (lambda i: text.attend(i, query), 0),
        "out of the text": (lambda i: products[i].text_out(heard), square),
        "up, with GELU": (lambda i: products[i].up(normed), 4 * square),
        "down": (lambda i: products[i].down(wide), 4 * square),
        "three norms": (norms, 0),
    }
    found: dict[str, Any] = {}
    for name, (work, read) in kinds.items():
        entry = {"us_a_layer": round(1e6 * seconds(work, len(layers), numbers.device) / len(layers), 2)}
        if read and copy_bytes_a_second:
            entry["us_of_bytes"] = round(1e6 * read / copy_bytes_a_second, 2)
        found[name] = entry
    return found | {"kinds_together_us": round(sum(one["us_a_layer"] for one in found.values()), 1)}


def seconds(work: Callable[[int], object], layers: int, device: torch.device) -> float:
    """The least time that ``work`` takes for all layers, launched as one graph where there are graphs."""

    def once() -> None:
        for index in range(layers):
            work(index)

    def often() -> None:
        for _ in range(REPLAYS):
            if graphs is None:
                once()
            else:
                graphs.run(0, once)

    clock = shared.Clock()
    graphs = StepGraphs([]) if device.type == "cuda" else None
    for _ in range(ROUNDS):
        clock.time(often)
    return clock.wall / REPLAYS
