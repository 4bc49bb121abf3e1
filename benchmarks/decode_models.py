"""What the decoding benchmarks share: models with random weights, cues, clocks, and steps of both decoders."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.generators.audiocraft.audiocraft_modules import conditioners, transformer
from pipeline.generators.audiocraft.conditions import Condition
from pipeline.generators.audiocraft.decoding import session, weights
from pipeline.generators.audiocraft.decoding.backends import Backend
from pipeline.generators.audiocraft.decoding.schedule import Queue
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
LENGTH_MIX = ((0.60, 1.0, 5.0), (0.25, 3.0, 8.0), (0.15, 20.0, 30.0))
"""Share of the cues, shortest and longest, in seconds."""
USUAL = Sampling(1.0, 250, 0.0, 3.0)
GREEDY = Sampling(0.0, 0, 0.0, 3.0)


class RandomText(torch.nn.Module):
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
        return [condition.text.get("description") for condition in conditions]

    def forward(self, texts: Sequence[str | None]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """As AudioCraft's provider: embeddings and masks by attribute."""
        embeddings = torch.stack([self.embedding(text) for text in texts]).to(self.place)
        return {"description": (embeddings, torch.ones(embeddings.shape[:2], device=embeddings.device))}


def model_of(
    shape: str,
    layers: int | None = None,
    device: str = "cpu",
    *,
    provider: Callable[[int], torch.nn.Module] = RandomText,
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


def cue_lengths(count: int, seed: int = 0) -> list[int]:
    """Frames of ``count`` cues of the mix, in a random order."""
    draw = random.Random(seed)
    lengths = []
    for share, least, most in LENGTH_MIX:
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
        synchronize()
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        synchronize()
        self.wall = min(self.wall, time.perf_counter() - wall)
        self.cpu = min(self.cpu, time.process_time() - cpu)


def synchronize() -> None:
    """Let a CUDA device finish what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@contextmanager
def stock_layers_at(lm: Any, rows: int, position: int) -> Iterator[Callable[[], None]]:
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
def stock_step_at(lm: Any, cues: int, position: int) -> Iterator[Callable[[], object]]:
    """One step of AudioCraft's own loop for a batch of ``cues`` whose past is ``position`` steps long."""
    transformer.set_efficient_attention_backend("torch")
    device, dtype = next(lm.parameters()).device, next(lm.parameters()).dtype
    texts = ["a"] * cues + [None] * cues
    condition = {
        name: (value.to(device, dtype), mask.to(device))
        for name, (value, mask) in lm.condition_provider(texts).items()
    }
    tokens = torch.randint(0, lm.card, (cues, 4, 1), device=device)

    with stock_layers_at(lm, 2 * cues, position) as rewind:

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


class SlotSteps:
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


class GroupSteps:
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
        makers = [self._pool.submit(SlotSteps, lm, numbers, positions, cue=cue) for _ in range(self.count)]
        self._groups = [maker.result() for maker in makers]

    def steps(self, count: int) -> None:
        """``count`` steps of every slot of every group."""

        def work(group: SlotSteps) -> None:
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


def average_positions(lengths: Sequence[int], slots: int) -> list[int]:
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
