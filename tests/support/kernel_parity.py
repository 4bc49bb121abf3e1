"""Run as a process with TRITON_INTERPRET=1: decodes with the Triton kernels on a CPU, and tells what differed.

With ``compile`` it compiles every kernel for the architecture of an H100 and an H200 instead, which needs no device.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from pipeline.generators.audiocraft import conversion
from pipeline.generators.audiocraft.conditions import condition_of
from pipeline.generators.audiocraft.decoder import fused, kernels
from pipeline.generators.audiocraft.decoder import weights as reading
from pipeline.generators.audiocraft.decoder.engine import Room, SlotDecoder, size_of
from pipeline.generators.audiocraft.decoder.schedule import Queue
from pipeline.generators.audiocraft.loading import load
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampling

WAYS = (Sampling(0.0, 0, 0.0, 3.0, 5.0), Sampling(1.0, 20, 0.0, 3.0, 2.0))


def attention(branches: int) -> tuple[float, float]:
    """Largest differences from PyTorch's own, and with a longer neighbour.

    Over lengths around every border, with rubbish beyond them; a slot has ``branches`` rows.
    """
    draw = torch.Generator().manual_seed(1)
    heads, size, capacity = 3, 16, 3 * kernels.CHUNK
    lengths = [0, 1, 63, 64, kernels.CHUNK - 1, kernels.CHUNK, kernels.CHUNK + 1, 2 * kernels.CHUNK + 100]
    rows = branches * len(lengths)
    keys, values = (torch.randn((rows, heads, capacity, size), generator=draw) for _ in range(2))
    projected = torch.randn((rows, 3 * heads * size), generator=draw)
    for row in range(rows):
        keys[row, :, lengths[row // branches] :] = torch.nan
        values[row, :, lengths[row // branches] :] = torch.nan
    scratch = kernels.Scratch(rows, heads, size, capacity, torch.device("cpu"))
    positions = torch.tensor(lengths)
    seen = kernels.attend(projected, keys, values, positions, max(lengths) + 1, scratch)
    wide = kernels.attend(projected, keys, values, positions, capacity, scratch)
    query, key, value = projected.view(rows, 3, heads, size).unbind(1)
    worst = 0.0
    for row in range(rows):
        last = lengths[row // branches]
        assert torch.equal(keys[row, :, last], key[row])
        assert torch.equal(values[row, :, last], value[row])
        own = torch.nn.functional.scaled_dot_product_attention(
            query[row, :, None], keys[row, :, : last + 1], values[row, :, : last + 1]
        )
        worst = max(worst, float((seen[row].view(heads, size) - own[:, 0]).abs().max()))
    return worst, float((seen - wide).abs().max())


def tokens(folder: Path, kind: str) -> bool:
    """Whether a decode by the kernels gives the tokens of the slabs."""
    stored = conversion.convert(folder, f"local/{kind}", None, None)
    model = load(stored.name, stored.revision, "cpu")
    lm = model.generator.lm
    known = torch.zeros((lm.num_codebooks, 0), dtype=torch.long)
    double = kind.startswith("music-style")
    heard = torch.randn((1, 48_000), generator=torch.Generator().manual_seed(3)) if double else None
    rows = [
        Row(index, 0, frames, known, condition_of(model.generator, text, heard, 3, double), WAYS[index % 2])
        for index, (frames, text) in enumerate(
            ((9, "calm"), (4, "a wooden door"), (2, "heavy drums and brass"))
        )
    ]
    sizes = [size_of(lm, one) for one in rows]
    numbers = reading.read(lm, torch.float32)
    found: dict[str, Any] = {}
    for way in ("slabs", "kernels"):
        room = Room(2, max(sizes), 2 * max(sizes), text=64, branches=rows[0].condition.branches)
        decoder = SlotDecoder(lm, numbers, room, WAYS, way=way)  # type: ignore[arg-type]
        found[way] = dict(decoder.run(Queue(enumerate(sizes)), rows.__getitem__))
    return all(torch.equal(found["slabs"][index], found["kernels"][index]) for index in range(len(rows)))


def compiled() -> dict[str, int]:
    """Bytes of machine code of each kernel for compute capability 9.0, with the shapes of musicgen-medium."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    half, single, whole = "*fp16", "*fp32", "i32"
    sources = {
        "_attend_chunk": (
            [half, half, half, "*i64", single, single, single, "fp32", whole, whole, whole],
            {"BRANCHES": 3, "HEADS": 24, "SIZE": 64, "CHUNK": kernels.CHUNK, "BLOCK": 64},
        ),
        "_join_chunks": (
            [single, single, single, "*i64", half, whole],
            {"BRANCHES": 3, "HEADS": 24, "SIZE": 64, "CHUNK": kernels.CHUNK},
        ),
        "_attend_text": (
            [half, half, half, "*i32", half, "fp32", whole],
            {"HEADS": 24, "SIZE": 64, "BLOCK": 32},
        ),
        "_add_and_norm": (
            [single, half, single, single, half, "fp32", whole],
            {"ADD_EVERY": 1, "NORM_EVERY": 1, "BLOCK": 2048},
        ),
    }
    found = {}
    for name, (types, fixed) in sources.items():
        function = getattr(kernels, name)
        signature = dict(zip(function.arg_names, types, strict=False)) | dict.fromkeys(fixed, "constexpr")
        source = ASTSource(function, signature, fixed)
        made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 4})
        found[name] = len(made.asm["cubin"])
    return found


def main() -> None:
    torch.set_num_threads(1)
    if sys.argv[1] == "compile":
        print(json.dumps(compiled()))
        return
    told: dict[str, Any] = {"trial": fused.trial(torch.device("cpu"))}
    told["attention"], told["a_longer_neighbour"] = map(max, zip(attention(2), attention(3), strict=True))
    told["tokens"] = {kind: tokens(Path(sys.argv[2]) / kind, kind) for kind in sys.argv[3:]}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
