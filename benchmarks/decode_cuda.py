"""The CUDA part of `decode.py`: every shape, slots and length beside AudioCraft's loop, in one call under 8 minutes.

The mixed manifest comes first, because it is the goal; then, without ``--quick``, steps of every shape. What was
measured is saved as it is measured, a section that fails says so and harms no other, and what the deadline leaves out
is listed. ``--device cpu --dry-shapes tiny`` runs every line of it on a CPU, on shapes that mean nothing.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import decode_kernels
import decode_models as models
import torch

from pipeline.generators.audiocraft.audiocraft_modules import conditioners
from pipeline.generators.audiocraft.decoding import backends, session, weights
from pipeline.generators.audiocraft.decoding.schedule import Queue
from pipeline.generators.audiocraft.rows import Row

TINY = {"small": (64, 2, 4), "medium": (64, 3, 4), "large": (128, 2, 8)}
SLOTS = (32, 8, 1, 128)
LENGTHS = (3, 30)
STEPS = 8
"""Steps of each kind that are timed one by one, after `WARM`."""
WARM = 3
GOAL_SHAPE, GOAL_SLOTS = "medium", 32


class Report:
    """What was measured so far, saved after every entry."""

    def __init__(self, path: Path, minutes: float) -> None:
        self.results: dict[str, Any] = {"sections": [], "left_out": []}
        self._path = path
        self._ends = time.monotonic() + 60 * minutes

    @property
    def seconds_left(self) -> float:
        return self._ends - time.monotonic()

    def put(
        self, name: str, work: Callable[[], dict[str, Any]], needs_s: float = 5.0
    ) -> dict[str, Any] | None:
        """Do a section, unless the deadline is nearer than ``needs_s``; its answer, or None."""
        if self.seconds_left < needs_s:
            self.results["left_out"].append(name)
            return None
        began = time.monotonic()
        try:
            answer: dict[str, Any] | None = work()
            entry = {"section": name, **(answer or {})}
        except Exception as error:
            answer = None
            entry = {"section": name, "error": f"{type(error).__name__}: {str(error).splitlines()[:1]}"}
        self.results["sections"].append(entry | {"took_s": round(time.monotonic() - began, 2)})
        self.save()
        print(json.dumps(self.results["sections"][-1]), file=sys.stderr)
        free()
        return answer

    def save(self) -> None:
        self._path.write_text(json.dumps(self.results, indent=1), encoding="utf-8")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure on ``arguments.device`` and return every result; with ``arguments.quick`` the goal alone."""
    if arguments.dry_shapes:
        models.SHAPES.update(TINY)
    device = str(arguments.device)
    report = Report(arguments.save, arguments.minutes)
    roof = report.put("roof", lambda: roof_of(device, arguments.dry_shapes)) or {}
    shapes = [GOAL_SHAPE] if arguments.quick else arguments.shapes
    for shape in sorted(shapes, key=lambda shape: shape != GOAL_SHAPE):
        with model(report, shape, device) as loaded:
            if loaded is None:
                continue
            lm, numbers = loaded
            if shape == GOAL_SHAPE:
                report.put("mixed", partial(mixed, lm, numbers, roof, arguments), 40)
                report.put("company", partial(company, lm, numbers), 10)
                report.put("memory over 1000 cues", partial(memory, lm, numbers, arguments), 20)
                report.put("parity", lambda: parity(device), 15)
                if usual_backend(numbers.device) == "triton":
                    report.put("where a step goes", partial(parts, lm, numbers, roof), 15)
            if not arguments.quick:
                stock_steps(report, lm, shape)
                our_steps(report, lm, numbers, shape, roof)
    report.results = summary(report.results["sections"]) | report.results
    report.save()
    return report.results


def summary(sections: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The goal's figures on one level, under the names that they have on a CPU; None for what was not measured."""
    by_name = {one["section"]: one for one in sections}
    names = ("ratio_vs_single", "ratio_vs_batched", "wasted_row_steps", "fraction_of_matmul_rate")
    mixed_ones = (*names, "times_real_time", "step_over_roof", "dtype")
    results = {name: by_name.get("mixed", {}).get(name) for name in mixed_ones}
    return {
        "parity": by_name.get("parity", {}).get("parity"),
        **results,
        "same_bits_in_company": by_name.get("company", {}).get("same_bits"),
        "memory_grew_bytes": by_name.get("memory over 1000 cues", {}).get("grew"),
    }


@contextmanager
def model(report: Report, shape: str, device: str) -> Iterator[tuple[Any, weights.Weights] | None]:
    """The model of ``shape`` with its weights laid out; None where there is no room or time for it."""
    made: list[Any] = []

    def make() -> dict[str, Any]:
        # Random numbers of billions of weights are drawn where they are needed.
        with torch.device(device):
            lm = models.model_of(shape, device=device)
        made.extend([lm, weights.read_weights(lm, next(lm.parameters()).dtype)])
        return {"dtype": str(made[1].dtype).removeprefix("torch.")}

    report.put(f"{shape}: model", make, 20)
    try:
        yield (made[0], made[1]) if len(made) == 2 else None
    finally:
        made.clear()
        free()


def roof_of(device: str, dry: bool) -> dict[str, Any]:
    """Copy bandwidth in bytes a second and the rate of a large product in operations a second."""
    size, side = (1 << 20, 256) if dry else (1 << 28, 8192)
    dtype = torch.float16 if device == "cuda" else torch.float32
    a = torch.randn(size, device=device)
    b = torch.empty_like(a)
    x = torch.randn(side, side, device=device, dtype=dtype)
    copy, product = models.Clock(), models.Clock()
    for _ in range(8):
        copy.time(lambda: b.copy_(a))
        product.time(lambda: x @ x)
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "copy_bytes_a_second": 2 * a.numel() * 4 / copy.wall,
        "matmul_flops": 2 * side**3 / product.wall,
    }


def parity(device: str) -> dict[str, Any]:
    """Greedy tokens in float32 against AudioCraft's own of each cue alone: every backend, with and without graphs."""
    lm = models.model_of("small", layers=2, device=device).float()
    numbers = weights.read_weights(lm, torch.float32)
    cues = [("calm", 24), ("a door", 9), ("battle", 70), ("calm", 40)]
    rows = [models.row(lm, frames, 1, models.GREEDY, text) for text, frames in cues]
    stock = []
    for text, frames in cues:
        attributes = conditioners.ConditioningAttributes(text={"description": text})
        stock.append(lm.generate(None, [attributes], max_gen_len=frames, use_sampling=False, cfg_coef=3.0)[0])
    same = {}
    for backend, graphs in variants(device):
        limits = session.SessionLimits(4, 80 + models.DELAY, 10_000)
        decoder = session.SlotDecoder(lm, numbers, limits, [models.GREEDY], backend=backend)
        if not graphs:
            decoder._graphs = None
        queue = Queue((index, one.length + models.DELAY) for index, one in enumerate(rows))
        ours = dict(decoder.run(queue, rows.__getitem__))
        name = f"{backend} {'graphs' if graphs else 'eager'}"
        same[name] = all(torch.equal(one, ours[index]) for index, one in enumerate(stock))
        if (refused := getattr(decoder._graphs, "refused", None)) is not None:
            same[f"{name} refused"] = refused
    return {"parity": all(one for one in same.values() if isinstance(one, bool)), "by_way": same}


def variants(device: str) -> list[tuple[backends.Backend, bool]]:
    """Ways of a step to compare, each without graphs and with."""
    usual: list[backends.Backend] = ["sdpa"]
    if "triton" in backends.available_backends(torch.device(device)):
        usual.append("triton")
    return [(backend, graphs) for backend in usual for graphs in (False, True)]


def company(lm: Any, numbers: weights.Weights) -> dict[str, Any]:
    """Whether sampled takes in the model's own format have the same bits alone, in company and in another order."""
    lengths = (90, 20, 33, 5, 64, 300)
    rows = [models.row(lm, length, index) for index, length in enumerate(lengths)]

    def decoded(order: Sequence[int]) -> dict[int, torch.Tensor | None]:
        limits = session.SessionLimits(GOAL_SLOTS, 300 + models.DELAY, GOAL_SLOTS * 400)
        decoder = session.SlotDecoder(
            lm, numbers, limits, [models.USUAL], backend=usual_backend(numbers.device)
        )
        return dict(decoder.run(Queue((index, 300 + models.DELAY) for index in order), rows.__getitem__))

    together = decoded(range(len(rows)))
    others = decoded([*range(len(rows))][::-1]), decoded([0]), decoded([4])
    same = [torch.equal(codes, together[index]) for one in others for index, codes in one.items()]
    return {"cues": len(rows), "compared": len(same), "same_bits": all(same)}


def mixed(
    lm: Any, numbers: weights.Weights, roof: dict[str, Any], arguments: argparse.Namespace
) -> dict[str, Any]:
    """The mixed manifest from end to end by the usual backend, beside stock's steps of one cue at a time."""
    device, count = numbers.device, 40 if arguments.dry_shapes else 300
    scale = 0.05 if arguments.dry_shapes else 1.0
    lengths = [max(2, round(frames * scale)) for frames in models.cue_lengths(count)]
    rows = [models.row(lm, length, index) for index, length in enumerate(lengths)]
    capacity = max(lengths) + models.DELAY
    limits = session.SessionLimits(GOAL_SLOTS, capacity, GOAL_SLOTS * capacity)
    decoder = session.SlotDecoder(lm, numbers, limits, [models.USUAL], backend=usual_backend(device))
    queue = Queue((index, one.length + models.DELAY) for index, one in enumerate(rows))
    # Through every bucket, so that captures are not timed; our kernels have one graph for all lengths.
    by_length = sorted(range(count), key=lambda index: lengths[index])
    few = by_length[-GOAL_SLOTS:] if usual_backend(device) == "sdpa" else by_length[:GOAL_SLOTS]
    list(decoder.run(Queue((index, rows[index].length + models.DELAY) for index in few), rows.__getitem__))
    before, whole = decoder.steps_taken, models.Clock()
    whole.time(lambda: list(decoder.run(queue, rows.__getitem__)))
    steps = decoder.steps_taken - before
    audio = sum(lengths) / models.FRAME_RATE
    useful = sum(length + models.DELAY - 1 for length in lengths)
    positions = models.average_positions(lengths, GOAL_SLOTS)
    single = models.Clock()
    with models.stock_step_at(lm, 1, round(statistics.mean(positions))) as step:
        for _ in range(WARM + 5):
            single.time(step)
    stock = audio / (single.wall * sum(length + models.DELAY - 1 for length in lengths))
    batches = range(0, count, GOAL_SLOTS)
    padded = [max(lengths[first : first + GOAL_SLOTS]) + models.DELAY - 1 for first in batches]
    many = models.Clock()
    # The middle of an average step of padded batches.
    with models.stock_step_at(lm, GOAL_SLOTS, sum(one * one for one in padded) // (2 * sum(padded))) as step:
        for _ in range(WARM + 5):
            many.time(step)
    batched = audio / (many.wall * sum(padded))
    step_s = whole.wall / steps
    dim, layers = numbers.dim, len(numbers.layers)
    work = models.operations(dim, layers, numbers.card, GOAL_SLOTS)
    work += models.attention_operations(dim, layers, positions)
    return {
        "backend": usual_backend(device),
        "dtype": str(numbers.dtype).removeprefix("torch."),
        "cues": count,
        "audio_seconds": round(audio, 1),
        "times_real_time": round(audio / whole.wall, 1),
        "stock_single_times_real_time": round(stock, 3),
        "stock_batched_times_real_time": round(batched, 3),
        "ratio_vs_single": round(audio / whole.wall / stock, 1),
        "ratio_vs_batched": round(audio / whole.wall / batched, 1),
        "fraction_of_matmul_rate": round(work / step_s / roof["matmul_flops"], 3) if roof else None,
        "step_ms": round(1e3 * step_s, 3),
        "step_over_roof": round(step_s / roof_seconds(numbers, positions, roof), 2) if roof else None,
        "wasted_row_steps": round(1 - useful / (steps * GOAL_SLOTS), 4),
        "graphs_refused": getattr(decoder._graphs, "refused", None),
    }


def usual_backend(device: torch.device) -> backends.Backend:
    return "sdpa" if device.type == "cpu" else backends.available_backends(device)[-1]


def memory(lm: Any, numbers: weights.Weights, arguments: argparse.Namespace) -> dict[str, Any]:
    """Bytes allocated as 1,000 short cues pass through the slots."""
    device, count = numbers.device, 60 if arguments.dry_shapes else 1000
    rows: dict[int, Row] = {}

    def row_of(index: int) -> Row:
        rows[index] = models.row(lm, 5 + index * 7 % 40, index)
        return rows[index]

    limits = session.SessionLimits(GOAL_SLOTS, 64, GOAL_SLOTS * 64)
    decoder = session.SlotDecoder(lm, numbers, limits, [models.USUAL], backend=usual_backend(device))
    held = []
    for index, _ in decoder.run(
        Queue((index, 5 + index * 7 % 40 + models.DELAY) for index in range(count)), row_of
    ):
        rows.pop(index, None)
        held.append(torch.cuda.memory_allocated() if device.type == "cuda" else 0)
    early, late = held[len(held) // 5], held[-1]
    return {"cues": len(held), "bytes_early": early, "bytes_late": late, "grew": late - early}


def parts(lm: Any, numbers: weights.Weights, roof: dict[str, Any]) -> dict[str, Any]:
    """Each kind of kernel alone, at the goal's slots on the mixed manifest."""
    positions = models.average_positions(models.cue_lengths(600), GOAL_SLOTS)
    return decode_kernels.kernel_times(lm, numbers, positions, roof.get("copy_bytes_a_second"))


def stock_steps(report: Report, lm: Any, shape: str) -> None:
    """AudioCraft's own step, one cue and batches, in the middle of cues of each length."""
    for seconds in LENGTHS:
        for cues in sorted(SLOTS):

            def measure(seconds: int = seconds, cues: int = cues) -> dict[str, Any]:
                clock = models.Clock()
                with models.stock_step_at(lm, cues, seconds * models.FRAME_RATE // 2) as step:
                    for _ in range(WARM + 4):
                        clock.time(step)
                return {
                    "step_ms": round(1e3 * clock.wall, 3),
                    "times_real_time": round(cues / models.FRAME_RATE / clock.wall, 3),
                }

            report.put(f"{shape}: stock, {cues} cues of {seconds} s", measure, 10)


def our_steps(report: Report, lm: Any, numbers: weights.Weights, shape: str, roof: dict[str, Any]) -> None:
    """Our step by every backend, all slots taken, in the middle of cues of each length and on the mixed manifest."""
    device = numbers.device.type
    for slots in SLOTS:
        for name in ("30", "3", "mixed"):

            def measure(slots: int = slots, name: str = name) -> dict[str, Any]:
                positions = (
                    models.average_positions(models.cue_lengths(600), slots)
                    if name == "mixed"
                    else [int(name) * models.FRAME_RATE // 2] * slots
                )
                # PyTorch's attention, which is the backend out where there is no Triton, at the goal's slots alone.
                pick = variants(device)[0 if slots == GOAL_SLOTS and shape == GOAL_SHAPE else -2 :]
                return by_variant(lm, numbers, positions, roof, pick)

            report.put(f"{shape}: ours, {slots} slots, {name}", measure, 10)


def by_variant(
    lm: Any,
    numbers: weights.Weights,
    positions: Sequence[int],
    roof: dict[str, Any],
    pick: Sequence[tuple[backends.Backend, bool]],
) -> dict[str, Any]:
    """Milliseconds of a step and times real time by each backend, against the roofline."""
    results: dict[str, Any] = {}
    for backend in dict.fromkeys(backend for backend, _ in pick):
        try:
            ours = models.SlotSteps(lm, numbers, positions, backend=backend)
        except (RuntimeError, MemoryError) as error:
            results[backend] = str(error).splitlines()[0]
            continue
        graphs = ours._decoder._graphs
        for with_graphs in (False, True):
            if (backend, with_graphs) not in pick:
                continue
            ours._decoder._graphs = graphs if with_graphs else None
            clock = models.Clock()
            for index in range(WARM + STEPS):
                if index < WARM:
                    ours.step()
                else:
                    clock.time(ours.step)
            entry = {
                "step_ms": round(1e3 * clock.wall, 3),
                "times_real_time": round(len(positions) / models.FRAME_RATE / clock.wall, 1),
            }
            if roof:
                entry["over_roof"] = round(clock.wall / roof_seconds(numbers, positions, roof), 2)
            results[f"{backend} {'graphs' if with_graphs else 'eager'}"] = entry
        del ours, graphs
        free()
    return results


def roof_seconds(numbers: weights.Weights, positions: Sequence[int], roof: dict[str, Any]) -> float:
    """The longer of reading the weights and every row's own past, and of multiplying, at the rates just measured."""
    dim, layers = numbers.dim, len(numbers.layers)
    size = torch.finfo(numbers.dtype).bits // 8
    reads = size * (14 * dim * dim * layers + 8192 * dim) + sum(positions) * 4 * layers * dim * size
    flops = models.operations(dim, layers, numbers.card, len(positions))
    return max(reads / roof["copy_bytes_a_second"], flops / roof["matmul_flops"])


def free() -> None:
    """Give back what the last section held."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
