"""Run as a process with TRITON_INTERPRET=1: decodes with the Triton kernels on a CPU, and tells what differed.

With ``compile`` it compiles every kernel for a compute capability instead, which needs no device.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from pipeline.generators.audiocraft import conversion
from pipeline.generators.audiocraft.conditions import Condition, encode_condition
from pipeline.generators.audiocraft.decoding.cuda import attention, layers, sampling
from pipeline.generators.audiocraft.decoding.cuda import step as fused
from pipeline.generators.audiocraft.decoding.sampling import SlotSampler
from pipeline.generators.audiocraft.decoding.schedule import Queue
from pipeline.generators.audiocraft.decoding.session import SessionLimits, SlotDecoder, positions_needed
from pipeline.generators.audiocraft.decoding.weights import read_weights
from pipeline.generators.audiocraft.loading import load
from pipeline.generators.audiocraft.rows import UNKNOWN, Row
from pipeline.generators.audiocraft.sampling import Sampling

WAYS = (Sampling(0.0, 0, 0.0, 3.0, 5.0), Sampling(1.0, 20, 0.0, 3.0, 2.0))


def attended(branches: int) -> tuple[float, float]:
    """Largest differences from PyTorch's own, and with a longer neighbour.

    Over lengths around every border, with rubbish beyond them; a slot has ``branches`` rows.
    """
    draw = torch.Generator().manual_seed(1)
    heads, size, capacity = 3, 16, 3 * attention.CHUNK
    lengths = [
        0,
        1,
        63,
        64,
        attention.CHUNK - 1,
        attention.CHUNK,
        attention.CHUNK + 1,
        2 * attention.CHUNK + 100,
    ]
    rows = branches * len(lengths)
    keys, values = (torch.randn((rows, heads, capacity, size), generator=draw) for _ in range(2))
    parts = torch.randn((branches, rows, 3 * heads * size), generator=draw)
    projected = parts[0] + parts[1] + (parts[2] if branches == 3 else 0)
    for row in range(rows):
        keys[row, :, lengths[row // branches] :] = torch.nan
        values[row, :, lengths[row // branches] :] = 1e9
    scratch = attention.Scratch(rows, heads, size, capacity, torch.device("cpu"))
    positions = torch.tensor(lengths)
    attention.assign_chunks(positions, branches, scratch)
    seen = attention.attend(parts, keys, values, scratch)
    few = attention.Scratch(rows, heads, size, capacity, torch.device("cpu"))
    few.programs = 3
    attention.assign_chunks(positions, branches, few)
    wide = attention.attend(parts, keys, values, few)
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
        Row(
            index,
            0,
            frames,
            known,
            encode_condition(model.generator, text, heard, 3, double),
            WAYS[index % 2],
        )
        for index, (frames, text) in enumerate(
            ((9, "calm"), (4, "a wooden door"), (2, "heavy drums and brass"))
        )
    ]
    sizes = [positions_needed(lm, one) for one in rows]
    numbers = read_weights(lm, torch.float32)
    found: dict[str, Any] = {}
    for backend in ("cpu", "triton"):
        limits = SessionLimits(2, max(sizes), 2 * max(sizes), text=64, branches=rows[0].condition.branches)
        decoder = SlotDecoder(lm, numbers, limits, WAYS, backend=backend)  # type: ignore[arg-type]
        found[backend] = dict(decoder.run(Queue(enumerate(sizes)), rows.__getitem__))
    return all(torch.equal(found["cpu"][index], found["triton"][index]) for index in range(len(rows)))


def multiplied() -> float:
    """Largest difference of products from PyTorch's, in shares of the largest number; all must be written."""
    draw = torch.Generator().manual_seed(2)
    worst = 0.0
    for rows, outputs, inputs, gelu in ((3, 64, 256, False), (64, 192, 1024, True), (100, 128, 512, False)):
        x = torch.randn((rows, inputs), generator=draw).half()
        weight = torch.randn((outputs, inputs), generator=draw).half()
        own = x.float() @ weight.float().T
        own = torch.nn.functional.gelu(own) if gelu else own
        for rows_first in (False, True):
            tiling = layers.Tiling(64, 1 if gelu else 2, rows_first)
            output = layers.Product(weight, rows, gelu=gelu, tiling=tiling)(x).float().sum(0)
            worst = max(worst, float((output - own).abs().max() / own.abs().max()))
    return worst


def drawn(device: torch.device) -> float:
    """The share of draws on ``device`` that are those of `SlotSampler` there."""
    draw = torch.Generator().manual_seed(4)
    asked = [
        Sampling(0.0, 0, 0.0, 3.0),
        Sampling(1.0, 250, 0.0, 3.0),
        Sampling(0.7, 1, 0.0, 1.5),
        Sampling(1.3, 0, 0.0, 3.0, 2.0),
    ]
    slots, same, count = len(asked), 0, 0
    prompt, condition = torch.zeros((4, 0), dtype=torch.long), Condition({}, 0, ())
    for branches in (2, 3):
        kinds = (SlotSampler, sampling.FusedSampler)
        samplers = [kind(slots, 500, asked, device) for kind in kinds]
        for sampler in samplers:
            for slot, one in enumerate(asked):
                sampler.admit(slot, Row(7 + slot, slot, 9, prompt, condition, one))
        for step in range(12):
            logits = 3 * torch.randn((slots, branches, 4, 500), generator=draw)
            if step == 5:
                logits[1, branches - 1, 2, 77] = torch.nan
                logits[2, 0, 3, 499] = torch.inf
            before = torch.randint(-1, 2, (slots, 4, 40), generator=draw)
            steps = torch.arange(slots) + step
            found = []
            for sampler in samplers:
                codes, broken = (
                    before.to(device, copy=True),
                    torch.zeros(slots, dtype=torch.bool, device=device),
                )
                sampler.write(logits.to(device), codes, steps.to(device), broken)
                found.append((codes.cpu(), broken.cpu()))
            (own, own_broken), (codes, broken) = found
            assert torch.equal(own_broken, broken)
            assert broken.any() <= (step == 5)
            place = (steps + 1)[:, None, None].expand(-1, 4, 1)
            output = codes.gather(2, place)
            assert torch.equal(codes.scatter(2, place, 0), before.scatter(2, place, 0))
            known = before.gather(2, place)
            assert torch.equal(output[known != UNKNOWN], known[known != UNKNOWN])
            is_open = (known == UNKNOWN) & ~broken[:, None, None]
            assert 0 <= output[is_open].min() <= output[is_open].max() < 500
            same += int((output == own.gather(2, place))[is_open].sum())
            count += int(is_open.sum())
    return same / count


def compiled(capability: int) -> dict[str, int]:
    """Bytes of machine code of each kernel for a compute capability (90 is 9.0), with musicgen-medium's shapes."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    half, single, whole, long, bit = "*fp16", "*fp32", "i32", "*i64", "*i1"
    tile = f"tensordesc<fp16[{attention.BLOCK}, 64]>"
    sources = {
        "_assign_chunks": (
            attention._assign_chunks,
            [long, long, "*i32", *[whole] * 4],
            {"BRANCHES": 3, "CHUNK": attention.CHUNK, "SLOTS": 32},
        ),
        "_attend": (
            attention._attend,
            [
                *[half] * 3,
                *[tile] * 2,
                long,
                "*i32",
                *[single] * 3,
                "*i32",
                half,
                "fp32",
                *[whole] * 4,
            ],
            {
                "PARTS": 2,
                "HEADS": 24,
                "SIZE": 64,
                "CHUNK": attention.CHUNK,
                "BLOCK": attention.BLOCK,
                "STAGES": attention._STAGES,
                "ROWS": attention._ROWS,
            },
        ),
        "_attend_text": (
            attention._attend_text,
            [*[half] * 3, "*i32", half, "fp32", whole, whole],
            {"PARTS": 1, "HEADS": 24, "SIZE": 64, "BLOCK": 32},
        ),
        "_add_and_norm": (
            layers._add_and_norm,
            [single, half, single, single, half, "fp32", whole, whole],
            {"PARTS": 1, "ADD_EVERY": 1, "NORM_EVERY": 1, "BLOCK": 2048},
        ),
        "_embed": (
            layers._embed,
            [long, long, *[single] * 3, whole, whole],
            {"BRANCHES": 3, "CODEBOOKS": 4, "BLOCK": 2048},
        ),
        "_multiply": (
            layers._multiply,
            [*["tensordesc<fp16[64, 128]>"] * 2, half, *[whole] * 3],
            {"ROWS": 64, "OUTPUTS": 64, "INPUTS": 128, "SPLIT": 1, "GELU": True, "ROWS_FIRST": False},
        ),
        "_draw": (
            sampling._draw,
            [half, *[long] * 3, single, long, bit, whole, whole],
            {"BRANCHES": 2, "CODEBOOKS": 4, "CARD": 2048, "BLOCK": 2048, "OPEN": -1},
        ),
    }
    found = {}
    in_chain = capability >= 90
    for name, (function, types, shape) in sources.items():
        fixed = {**shape, "CHAINED": in_chain}
        signature = dict(zip(function.arg_names, types, strict=False)) | dict.fromkeys(fixed, "constexpr")
        # Pointers and strides of a step are multiples of 16.
        attrs = {
            (place,): [["tt.divisibility", 16]]
            for place, kind in enumerate(types)
            if kind[0] == "*" or kind == whole
        }
        source = ASTSource(function, signature, fixed, attrs)
        options = {"num_warps": 4, "launch_pdl": in_chain}
        made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
        found[name] = len(made.asm["cubin"])
    return found


def main() -> None:
    torch.set_num_threads(1)
    if sys.argv[1] == "compile":
        print(json.dumps(compiled(int(sys.argv[2]))))
        return
    output: dict[str, Any] = {"self_test": fused.self_test(torch.device("cpu"))}
    output["attention"], output["a_longer_neighbour"] = map(max, zip(attended(2), attended(3), strict=True))
    output["products"], output["draws"] = multiplied(), drawn(torch.device("cpu"))
    output["tokens"] = {kind: tokens(Path(sys.argv[2]) / kind, kind) for kind in sys.argv[3:]}
    print(json.dumps(output))


if __name__ == "__main__":
    main()
