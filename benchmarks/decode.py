"""The slot decoder against AudioCraft's own loop, side by side in one run, on random weights of real shapes.

``python benchmarks/decode.py --quick --json`` prints one object within a minute on an idle machine. Without ``--quick``
it also decodes whole cues by both. ``--device cuda`` measures every shape and number of slots instead (`decode_cuda`).

Stock and ours take turns, so that other work on the machine meets both. Ratios are of wall time; those named
``cpu`` are of the process's CPU time, which waiting for other programs does not change.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.generators.audiocraft.audiocraft_modules import conditioners, transformer
from pipeline.generators.audiocraft.conditions import Condition
from pipeline.generators.audiocraft.decoding import session, weights
from pipeline.generators.audiocraft.decoding.backends import Backend
from pipeline.generators.audiocraft.decoding.cpu.groups import SlotGroups
from pipeline.generators.audiocraft.decoding.schedule import Queue, simulate_slots
from pipeline.generators.audiocraft.estimates import group_count
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampling

# Once the library has put its stand-ins in place.
from audiocraft.models import lm as lm_model  # isort: skip
from audiocraft.modules import codebooks_patterns as patterns  # isort: skip

FRAME_RATE = 50
DELAY = 4
"""Steps of a cue beyond its frames: four codebooks, each a step after the one before, and the empty first step."""
TEXT = 16
STEPS = 4
"""Steps of each group at a time: enough for the groups to find their rhythm."""
SHAPES = {"small": (1024, 24, 16), "medium": (1536, 48, 24), "large": (2048, 48, 32)}
MIX = ((0.60, 1.0, 5.0), (0.25, 3.0, 8.0), (0.15, 20.0, 30.0))
"""Share of the cues, shortest and longest, in seconds."""
USUAL = Sampling(1.0, 250, 0.0, 3.0)
GREEDY = Sampling(0.0, 0, 0.0, 3.0)


class Text(torch.nn.Module):
    """Stands in for the text encoder, which both sides would run once a cue: random embeddings by the text."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.register_buffer("place", torch.zeros(0))

    def embedding(self, text: str | None) -> torch.Tensor:
        """[TEXT, dim]; zeros for no text."""
        if text is None:
            return torch.zeros(TEXT, self.dim)
        return torch.randn(TEXT, self.dim, generator=torch.Generator().manual_seed(sum(text.encode())))

    def tokenize(self, conditions: Sequence[Any]) -> list[str | None]:
        """As AudioCraft's provider: what `forward` takes."""
        return [one.text.get("description") for one in conditions]

    def forward(self, texts: Sequence[str | None]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """As AudioCraft's provider: embeddings and masks by attribute."""
        found = torch.stack([self.embedding(text) for text in texts]).to(self.place)
        return {"description": (found, torch.ones(found.shape[:2], device=found.device))}


def model_of(
    shape: str,
    layers: int | None = None,
    device: str = "cpu",
    *,
    provider: Callable[[int], torch.nn.Module] = Text,
    prepend: Sequence[str] = (),
) -> Any:
    """AudioCraft's `LMModel` in the shape of a published MusicGen, with random weights.

    ``provider`` makes what stands in for its conditioners; those named in ``prepend`` go before the tokens, else the
    text comes in by cross-attention.
    """
    dim, depth, heads = SHAPES[shape]
    torch.manual_seed(0)
    cross = [] if prepend else ["description"]
    fuser = conditioners.ConditionFuser(
        {"cross": cross, "prepend": list(prepend), "sum": [], "input_interpolate": []}
    )
    lm = lm_model.LMModel(
        patterns.DelayedPatternProvider(4),
        provider(dim),
        fuser,
        n_q=4,
        card=2048,
        dim=dim,
        num_heads=heads,
        num_layers=layers or depth,
        norm="layer_norm",
        norm_first=True,
        activation="gelu",
        dropout=0.0,
        bias_proj=False,
        bias_ff=False,
        bias_attn=False,
        causal=True,
        memory_efficient=True,
        cross_attention=bool(cross),
    ).eval()
    return lm.to(device=device, dtype=torch.float16 if device == "cuda" else torch.float32)


def manifest(count: int, seed: int = 0) -> list[int]:
    """Frames of ``count`` cues of the mix, in a random order."""
    draw = random.Random(seed)
    lengths = []
    for share, least, most in MIX:
        lengths += [round(draw.uniform(least, most) * FRAME_RATE) for _ in range(round(share * count))]
    draw.shuffle(lengths)
    return lengths


@dataclass
class Clock:
    """Wall and CPU seconds of repeated work; the least of each counts."""

    wall: float = math.inf
    cpu: float = math.inf

    def time(self, work: Callable[[], object]) -> None:
        """Do ``work`` once."""
        wait()
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        wait()
        self.wall = min(self.wall, time.perf_counter() - wall)
        self.cpu = min(self.cpu, time.process_time() - cpu)


def wait() -> None:
    """Let a CUDA device finish what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@contextmanager
def streaming_at(lm: Any, rows: int, position: int) -> Iterator[Callable[[], None]]:
    """AudioCraft's layers with a past of ``position`` steps; yields what sets them back to it before each step."""
    device, dtype = next(lm.parameters()).device, next(lm.parameters()).dtype
    heads = lm.transformer.layers[0].self_attn.num_heads
    shape = (rows, heads, position, lm.dim // heads)
    past: list[Any] = []
    for _ in lm.transformer.layers:
        keys, values = (torch.empty(shape, dtype=dtype, device=device).fill_(0.01) for _ in range(2))
        past.append({"past_keys": keys, "past_values": values, "offset": torch.tensor(0)})

    def rewind() -> None:
        for layer, kept in zip(lm.transformer.layers, past, strict=True):
            layer.self_attn._streaming_state = dict(kept)
        offsets = torch.full((rows,), position, device=device)
        lm.transformer._streaming_state = {"offsets": offsets}
        lm.fuser._streaming_state = {"offsets": offsets}

    with torch.no_grad(), lm.streaming():
        yield rewind
    lm.reset_streaming()


@contextmanager
def stock_at(lm: Any, cues: int, position: int) -> Iterator[Callable[[], object]]:
    """One step of AudioCraft's own loop for a batch of ``cues`` whose past is ``position`` steps long."""
    transformer.set_efficient_attention_backend("torch")
    device, dtype = next(lm.parameters()).device, next(lm.parameters()).dtype
    texts = ["a"] * cues + [None] * cues
    condition = {
        name: (value.to(device, dtype), mask.to(device))
        for name, (value, mask) in lm.condition_provider(texts).items()
    }
    tokens = torch.randint(0, lm.card, (cues, 4, 1), device=device)

    with streaming_at(lm, 2 * cues, position) as rewind:

        def step() -> None:
            rewind()
            lm._sample_next_token(tokens, condition, {}, True, 1.0, 250, 0.0, cfg_coef=3.0)

        yield step


def row(lm: Any, frames: int, seed: int, sampling: Sampling = USUAL, text: str = "a") -> Row:
    """A cue without a prompt."""
    device, dtype = next(lm.parameters()).device, next(lm.parameters()).dtype
    both = lm.condition_provider([text, None])
    tensors = {name: (value.to(device, dtype), mask.to(device)) for name, (value, mask) in both.items()}
    known = torch.zeros((4, 0), dtype=torch.long, device=device)
    return Row(seed, 0, frames, known, Condition(tensors, TEXT, ()), sampling)


class Ours:
    """The slot decoder, all slots taken, at positions of one's choice."""

    def __init__(
        self,
        lm: Any,
        numbers: weights.Weights,
        positions: Sequence[int],
        graphs: bool = True,
        backend: Backend | None = None,
        cue: Callable[[Any, int, int], Row] = row,
    ) -> None:
        """``cue`` makes a row for a model, of so many frames, with a seed."""
        slots, longest = len(positions), max(positions) + 64
        cues = {index: cue(lm, position + 64, index) for index, position in enumerate(positions)}
        longest += session.positions_needed(lm, cues[0]) - cues[0].length
        branches = cues[0].condition.branches
        limits = session.SessionLimits(slots, longest, slots * longest, branches=branches)
        self._decoder = session.SlotDecoder(lm, numbers, limits, [USUAL], backend=backend)
        if not graphs:
            self._decoder._graphs = None
        self._slots: list[Any] = [None] * slots
        with torch.no_grad():
            self._decoder._fill(self._slots, Queue((index, longest) for index in cues), cues.__getitem__)
            for index, position in enumerate(positions):
                self._fill_past(numbers, index, position, branches)
                self._slots[index].position = position
                self._decoder._numbers[:2, index] = position
            self._decoder._codes.clamp_(min=0)

    def _fill_past(self, numbers: weights.Weights, slot: int, count: int, branches: int) -> None:
        """Memory that was never written costs nothing to read, so what lies behind a cue is written."""
        shape = (branches, count, numbers.heads_count, numbers.head_dim)
        past = torch.randn(shape, device=numbers.device).to(numbers.cache_dtype)
        for layer in range(len(numbers.layers)):
            self._decoder._cache.fill(layer, slot, past, past)

    @torch.no_grad()
    def step(self) -> None:
        """One step of every slot."""
        self._decoder._step(self._slots)


class Together:
    """Ours as a worker has it: on a CPU groups of slots side by side, each with threads of its own."""

    def __init__(
        self,
        lm: Any,
        numbers: weights.Weights,
        positions: Sequence[int],
        cue: Callable[[Any, int, int], Row] = row,
    ) -> None:
        self.count = group_count("cpu", torch.get_num_threads())
        self._threads = max(1, torch.get_num_threads() // self.count)
        self._pool = ThreadPoolExecutor(
            self.count, initializer=torch.set_num_threads, initargs=(self._threads,)
        )
        makers = [self._pool.submit(Ours, lm, numbers, positions, cue=cue) for _ in range(self.count)]
        self._groups = [maker.result() for maker in makers]

    def steps(self, count: int) -> None:
        """``count`` steps of every slot of every group."""

        def work(group: Ours) -> None:
            torch.set_num_threads(self._threads)
            for _ in range(count):
                group.step()

        usual = torch.get_num_threads()
        list(self._pool.map(work, self._groups))
        torch.set_num_threads(usual)

    def close(self) -> None:
        """Give the memory back."""
        self._groups.clear()
        self._pool.shutdown()


def representative(lengths: Sequence[int], slots: int) -> list[int]:
    """Positions of ``slots`` cues such that a step costs what the manifest's average step costs."""
    places = sorted(position for length in lengths for position in range(length + DELAY - 1))
    return [places[round((index + 0.5) * len(places) / slots)] for index in range(slots)]


def operations(dim: int, layers: int, card: int, slots: int) -> float:
    """Floating-point operations of the matrix products of a step: 14 dim^2 a layer, 12 without cross-attention."""
    return 2.0 * slots * (layers * (14 + 12) * dim * dim + 2 * 4 * card * dim)


def attention_operations(dim: int, layers: int, positions: Sequence[int]) -> float:
    """Floating-point operations of a step's attention: each of two rows looks at each position, and sums it up."""
    return 8.0 * dim * layers * sum(positions)


def matmul_rate(dim: int, rows: int, dtype: torch.dtype, device: str) -> Callable[[], float]:
    """Operations a second of one product of ``rows`` rows, [dim] to [4 dim]: a CPU-second's on CPUs."""
    products = [weights.Linear(torch.randn(4 * dim, dim, device=device), None, dtype) for _ in range(8)]
    x = torch.randn(rows, dim, device=device).to(dtype)

    def multiply() -> None:
        for product in products:
            product(x)

    multiply()

    def measure() -> float:
        clock = Clock()
        for _ in range(5):
            clock.time(multiply)
        seconds = clock.cpu if device == "cpu" else clock.wall
        return 2.0 * rows * dim * 4 * dim * len(products) / seconds

    return measure


def parity() -> dict[str, Any]:
    """Greedy tokens in float32, ours in company against AudioCraft's own of each cue alone; and bf16's logits."""
    lm = model_of("small", layers=2)
    cues = [("calm", 24), ("a door", 9), ("battle", 16)]
    numbers = weights.read_weights(lm, torch.float32)
    rows = [row(lm, frames, 1, GREEDY, text) for text, frames in cues]
    limits = session.SessionLimits(32, 24 + DELAY, 10_000)
    queue = Queue((index, one.length + DELAY) for index, one in enumerate(rows))
    decoder: SlotGroups[int] = SlotGroups(
        lambda: session.SlotDecoder(lm, numbers, limits, [GREEDY]),
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
    """One step each of stock alone, stock batched and ours, in turns, as audio-seconds a second on the manifest."""
    dim, layers, _ = SHAPES["small"]
    lengths = manifest(count)
    lm = model_of("small")
    positions = representative(lengths, slots)
    mean = round(statistics.mean(positions))
    batch_at = 100
    rate = matmul_rate(dim, 2 * slots, dtype, "cpu")
    ours = Together(lm, weights.read_weights(lm, dtype), positions)
    cues = slots * ours.count
    single, batched, several, rates = Clock(), Clock(), Clock(), []
    ours.steps(1)
    with stock_at(lm, 1, mean) as alone:
        alone()
        for _ in range(rounds):
            single.time(alone)
            several.time(lambda: ours.steps(STEPS))
            rates.append(rate())
            several.time(lambda: ours.steps(STEPS))
            single.time(alone)
    # Beside it stock's batch would take more memory than a small machine has.
    ours.close()
    with stock_at(lm, cues, batch_at) as many:
        # The first one waits for memory that the system has yet to give.
        many()
        for _ in range(2):
            batched.time(many)
    mine = Clock(several.wall / STEPS, several.cpu / STEPS)
    schedule = simulate_slots([length + DELAY - 1 for length in lengths], cues)
    steps_single = sum(length + DELAY - 1 for length in lengths)
    padded = [max(lengths[first : first + cues]) + DELAY - 1 for first in range(0, len(lengths), cues)]
    audio = sum(lengths) / FRAME_RATE
    work = ours.count * (operations(dim, layers, 2048, slots) + attention_operations(dim, layers, positions))

    def speeds(which: str) -> tuple[float, float, float]:
        own, one, all_ = (getattr(clock, which) for clock in (mine, single, batched))
        return audio / (own * schedule.steps), audio / (one * steps_single), audio / (all_ * sum(padded))

    wall, cpu = speeds("wall"), speeds("cpu")
    best = max(rates)
    return {
        "dtype": str(dtype).removeprefix("torch."),
        "ratio_vs_single": round(wall[0] / wall[1], 2),
        "ratio_vs_batched": round(wall[0] / wall[2], 2),
        "wasted_row_steps": round(schedule.wasted_share, 4),
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
    """A manifest decoded from end to end by ours, and a one-second cue of it by AudioCraft's own loop."""
    lm = model_of("small")
    lengths = manifest(count)
    rows = [row(lm, length, index) for index, length in enumerate(lengths)]
    limits = session.SessionLimits(slots, max(lengths) + DELAY, slots * (max(lengths) + DELAY))
    numbers = weights.read_weights(lm, dtype)
    decoder: SlotGroups[int] = SlotGroups(
        lambda: session.SlotDecoder(lm, numbers, limits, [USUAL]), group_count("cpu", torch.get_num_threads())
    )
    queue = Queue((index, one.length + DELAY) for index, one in enumerate(rows))
    single, mine = Clock(), Clock()
    attributes = conditioners.ConditioningAttributes(text={"description": "a"})

    def stock() -> None:
        lm.generate(None, [attributes], max_gen_len=FRAME_RATE, top_k=250, cfg_coef=3.0)

    single.time(stock)
    mine.time(lambda: list(decoder.run(queue, rows.__getitem__)))
    single.time(stock)
    speed = sum(lengths) / FRAME_RATE / mine.wall
    return {
        "dtype": str(dtype).removeprefix("torch."),
        "cues": count,
        "audio_seconds": sum(lengths) / FRAME_RATE,
        "ours_audio_seconds_a_second": round(speed, 4),
        "single_audio_seconds_a_second": round(1 / single.wall, 4),
        "ratio_vs_single": round(speed * single.wall, 2),
        "ratio_vs_single_cpu": round(sum(lengths) / FRAME_RATE / mine.cpu * single.cpu, 2),
        "wasted_row_steps": round(decoder.wasted / (decoder.steps_taken * slots), 4),
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
    parser.add_argument(
        "--cues", type=int, default=300, help="cues of the manifest that steps are weighed by"
    )
    parser.add_argument("--whole", type=int, default=20, help="cues to decode from end to end")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--minutes", type=float, default=7.0, help="CUDA: when to end, whatever is left")
    parser.add_argument(
        "--shapes", nargs="+", choices=tuple(SHAPES), default=tuple(SHAPES), help="CUDA: only these models"
    )
    parser.add_argument(
        "--save", type=Path, default=Path("decode-cuda.json"), help="CUDA: where results go as they come"
    )
    parser.add_argument(
        "--dry-shapes",
        choices=("tiny",),
        help="run the CUDA part on shapes that mean nothing, to try it on a CPU",
    )
    asked = parser.parse_args()
    if asked.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device; --device cpu --dry-shapes tiny tries the script without one")
    if asked.threads:
        torch.set_num_threads(asked.threads)
    transformer.set_efficient_attention_backend("torch")
    if asked.device == "cuda" or asked.dry_shapes:
        # By name, because it builds on this file.
        found_on_cuda = importlib.import_module("decode_cuda").run(asked)
        print(json.dumps(found_on_cuda, indent=None if asked.json else 2))
        return
    dtypes = [asked.dtype] if asked.dtype else ["bfloat16"] if asked.quick else ["bfloat16", "float32"]
    found: list[dict[str, Any]] = []
    check = parity()
    for name in dtypes:
        dtype = getattr(torch, name)
        found.append(check | side_by_side(asked.slots, dtype, asked.rounds, asked.cues))
        if not asked.quick:
            found.append(whole_cues(asked.slots, dtype, asked.whole))
    print(json.dumps(found[0] if len(found) == 1 else found, indent=None if asked.json else 2))


if __name__ == "__main__":
    main()
