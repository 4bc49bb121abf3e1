"""The slot decoder against AudioCraft's own loop, side by side in one run, on random weights of real shapes.

``python benchmarks/decode.py --quick --json`` prints one object within a minute on an idle machine. Without ``--quick``
it also decodes whole cues by both. ``--device cuda`` measures every shape and number of slots instead (`decode_cuda`).

Stock and ours take turns, so that other work on the machine meets both. Ratios are of wall time; those named
``cpu`` are of the process's CPU time, which waiting for other programs does not change.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import decode_cuda
import decode_models as models
import torch

from pipeline.generators.audiocraft.audiocraft_modules import conditioners, transformer
from pipeline.generators.audiocraft.decoding import session, weights
from pipeline.generators.audiocraft.decoding.cpu.groups import SlotGroups
from pipeline.generators.audiocraft.decoding.schedule import Queue, simulate_slots
from pipeline.generators.audiocraft.estimates import group_count


def parity() -> dict[str, Any]:
    """Greedy tokens in float32, ours in company against AudioCraft's own of each cue alone; and bf16's logits."""
    lm = models.model_of("small", layers=2)
    cues = [("calm", 24), ("a door", 9), ("battle", 16)]
    numbers = weights.read_weights(lm, torch.float32)
    rows = [models.row(lm, frames, 1, models.GREEDY, text) for text, frames in cues]
    limits = session.SessionLimits(32, 24 + models.DELAY, 10_000)
    queue = Queue((index, one.length + models.DELAY) for index, one in enumerate(rows))
    decoder: SlotGroups[int] = SlotGroups(
        lambda: session.SlotDecoder(lm, numbers, limits, [models.GREEDY]),
        group_count("cpu", torch.get_num_threads()),
    )
    ours = dict(decoder.run(queue, rows.__getitem__))
    same = []
    for index, (text, frames) in enumerate(cues):
        attributes = conditioners.ConditioningAttributes(text={"description": text})
        stock = lm.generate(None, [attributes], max_gen_len=frames, use_sampling=False, cfg_coef=3.0)
        same.append(torch.equal(stock[0], ours[index]))
    return {"parity": all(same), "parity_checked": f"{len(cues)} cues, 2 layers of musicgen-small's shape"}


def side_by_side(slots: int, dtype: torch.dtype, rounds: int, count: int) -> dict[str, Any]:
    """Audio-seconds a second of stock alone, stock batched and ours, a step each in turns, over the cues of the mix."""
    dim, layers, _ = models.SHAPES["small"]
    lengths = models.cue_lengths(count)
    lm = models.model_of("small")
    positions = models.average_positions(lengths, slots)
    mean = round(statistics.mean(positions))
    batch_at = 100
    rate = models.matmul_rate(dim, 2 * slots, dtype, "cpu")
    ours = models.GroupSteps(lm, weights.read_weights(lm, dtype), positions)
    cues = slots * ours.count
    single, batched, several, rates = models.Clock(), models.Clock(), models.Clock(), []
    ours.steps(1)
    with models.stock_step_at(lm, 1, mean) as alone:
        alone()
        for _ in range(rounds):
            single.time(alone)
            several.time(lambda: ours.steps(models.STEPS))
            rates.append(rate())
            several.time(lambda: ours.steps(models.STEPS))
            single.time(alone)
    # Beside it stock's batch would take more memory than a small machine has.
    ours.close()
    with models.stock_step_at(lm, cues, batch_at) as many:
        # The first one waits for memory that the system has yet to give.
        many()
        for _ in range(2):
            batched.time(many)
    mine = models.Clock(several.wall / models.STEPS, several.cpu / models.STEPS)
    steps_single = sum(length + models.DELAY - 1 for length in lengths)
    steps = simulate_slots([length + models.DELAY - 1 for length in lengths], cues)
    padded = [max(lengths[first : first + cues]) + models.DELAY - 1 for first in range(0, len(lengths), cues)]
    audio = sum(lengths) / models.FRAME_RATE
    work = ours.count * (
        models.operations(dim, layers, 2048, slots) + models.attention_operations(dim, layers, positions)
    )

    def speeds(which: str) -> tuple[float, float, float]:
        own, one, all_ = (getattr(clock, which) for clock in (mine, single, batched))
        return audio / (own * steps), audio / (one * steps_single), audio / (all_ * sum(padded))

    wall, cpu = speeds("wall"), speeds("cpu")
    best = max(rates)
    return {
        "dtype": str(dtype).removeprefix("torch."),
        "ratio_vs_single": round(wall[0] / wall[1], 2),
        "ratio_vs_batched": round(wall[0] / wall[2], 2),
        "wasted_row_steps": round(1 - steps_single / (steps * cues), 4),
        "fraction_of_matmul_rate": round(work / mine.cpu / best, 3),
        "ratio_vs_single_cpu": round(cpu[0] / cpu[1], 2),
        "ratio_vs_batched_cpu": round(cpu[0] / cpu[2], 2),
        "audio_seconds_a_second": {
            name: round(value, 4)
            for name, value in zip(
                ("ours", "single", "batched", "ours_cpu", "single_cpu", "batched_cpu"),
                wall + cpu,
                strict=True,
            )
        },
        "step_seconds": {"ours": mine.wall, "single": single.wall, "batched": batched.wall},
        "step_cpu_seconds": {"ours": mine.cpu, "single": single.cpu, "batched": batched.cpu},
        "matmul_gflops": round(best / 1e9, 1),
        "slots": slots,
        "groups": ours.count,
        "cues": len(lengths),
        "mean_position": mean,
        "batched_measured_at_position": batch_at,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def whole_cues(slots: int, dtype: torch.dtype, count: int) -> dict[str, Any]:
    """The cues of the mix, decoded from end to end by ours, and a one-second cue of it by AudioCraft's own loop."""
    lm = models.model_of("small")
    lengths = models.cue_lengths(count)
    rows = [models.row(lm, length, index) for index, length in enumerate(lengths)]
    limits = session.SessionLimits(slots, max(lengths) + models.DELAY, slots * (max(lengths) + models.DELAY))
    numbers = weights.read_weights(lm, dtype)
    decoder: SlotGroups[int] = SlotGroups(
        lambda: session.SlotDecoder(lm, numbers, limits, [models.USUAL]),
        group_count("cpu", torch.get_num_threads()),
    )
    queue = Queue((index, one.length + models.DELAY) for index, one in enumerate(rows))
    single, mine = models.Clock(), models.Clock()
    attributes = conditioners.ConditioningAttributes(text={"description": "a"})

    def stock() -> None:
        lm.generate(None, [attributes], max_gen_len=models.FRAME_RATE, top_k=250, cfg_coef=3.0)

    single.time(stock)
    mine.time(lambda: list(decoder.run(queue, rows.__getitem__)))
    single.time(stock)
    speed = sum(lengths) / models.FRAME_RATE / mine.wall
    useful = sum(length + models.DELAY - 1 for length in lengths)
    return {
        "dtype": str(dtype).removeprefix("torch."),
        "cues": count,
        "audio_seconds": sum(lengths) / models.FRAME_RATE,
        "ours_audio_seconds_a_second": round(speed, 4),
        "single_audio_seconds_a_second": round(1 / single.wall, 4),
        "ratio_vs_single": round(speed * single.wall, 2),
        "ratio_vs_single_cpu": round(sum(lengths) / models.FRAME_RATE / mine.cpu * single.cpu, 2),
        "wasted_row_steps": round(1 - useful / (decoder.steps_taken * slots), 4),
    }


def main() -> None:
    """Read the command line and print what was measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="steps only, bf16, or on CUDA the goal alone: within a minute"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), help="only this one")
    parser.add_argument("--slots", type=int, default=32, help="slots of each group")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cues", type=int, default=300, help="cues by whose lengths steps are weighed")
    parser.add_argument("--whole", type=int, default=20, help="cues to decode from end to end")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--minutes", type=float, default=7.0, help="CUDA: when to end, whatever is left")
    parser.add_argument(
        "--shapes",
        nargs="+",
        choices=tuple(models.SHAPES),
        default=tuple(models.SHAPES),
        help="CUDA: only these models",
    )
    parser.add_argument(
        "--save", type=Path, default=Path("decode-cuda.json"), help="CUDA: where results go as they come"
    )
    parser.add_argument(
        "--dry-shapes",
        choices=("tiny",),
        help="run the CUDA part on shapes that mean nothing, to try it on a CPU",
    )
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device; --device cpu --dry-shapes tiny tries the script without one")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    transformer.set_efficient_attention_backend("torch")
    if arguments.device == "cuda" or arguments.dry_shapes:
        print(json.dumps(decode_cuda.run(arguments), indent=None if arguments.json else 2))
        return
    dtypes = (
        [arguments.dtype] if arguments.dtype else ["bfloat16"] if arguments.quick else ["bfloat16", "float32"]
    )
    results: list[dict[str, Any]] = []
    check = parity()
    for name in dtypes:
        dtype = getattr(torch, name)
        results.append(check | side_by_side(arguments.slots, dtype, arguments.rounds, arguments.cues))
        if not arguments.quick:
            results.append(whole_cues(arguments.slots, dtype, arguments.whole))
    print(json.dumps(results[0] if len(results) == 1 else results, indent=None if arguments.json else 2))


if __name__ == "__main__":
    main()
