"""What only a CUDA device can show. Run with ``pytest -m gpu``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_checkpoints import CROSSED

from pipeline.generators import GeneratedTake
from pipeline.generators.audiocraft import codec
from pipeline.generators.audiocraft.audiocraft_modules import transformer
from pipeline.generators.audiocraft.conditions import encode_condition
from pipeline.generators.audiocraft.decoding.backends import Backend, available_backends, default_backend
from pipeline.generators.audiocraft.decoding.cache import StaticCache
from pipeline.generators.audiocraft.decoding.schedule import Queue
from pipeline.generators.audiocraft.decoding.session import SessionLimits, SlotDecoder, positions_needed
from pipeline.generators.audiocraft.decoding.weights import Weights, read_weights
from pipeline.generators.audiocraft.generator import AudioCraftGenerator
from pipeline.generators.audiocraft.loading import Loaded, load
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampling
from pipeline.recipe import Recipe

Make = Callable[..., Recipe]
Load = Callable[[str], Loaded]

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
GREEDY, SAMPLED = Sampling(0.0, 0, 0.0, 3.0, 5.0), Sampling(1.0, 20, 0.0, 3.0, 5.0)
PROMPTS = ("calm", "wooden door", "heavy drums and brass, battle theme, fast and tense")
KINDS = ("music", "music-stereo", "music-melody", "music-style", "sfx")


@pytest.fixture(scope="module")
def on_gpu(loaded: Load) -> Load:
    models: dict[str, Loaded] = {}

    def of(kind: str) -> Loaded:
        if kind not in models:
            stored = loaded(kind).stored
            models[kind] = load(stored.id, stored.revision, "cuda:0")
            lm = models[kind].generator.lm.float()
            # Loaded for CUDA it had been float16: the CPU's own numbers instead.
            lm.load_state_dict(loaded(kind).generator.lm.state_dict())
            models[kind].generator.autocast = nullcontext()
        return models[kind]

    return of


def row(
    loaded: Loaded,
    prompt: str,
    frames: int,
    sampling: Sampling,
    seed: int = 1,
    heard: torch.Tensor | None = None,
) -> Row:
    """A cue; ``heard`` is an excerpt for a style under double guidance."""
    generator = loaded.generator
    known = torch.zeros((generator.lm.num_codebooks, 0), dtype=torch.long, device=generator.device)
    codebooks = 0 if heard is None else 3
    condition = encode_condition(generator, prompt, heard, codebooks, double=heard is not None)
    tensors = {name: (value.float(), mask) for name, (value, mask) in condition.tensors.items()}
    return Row(seed, 0, frames, known, type(condition)(tensors, condition.text, condition.shape), sampling)


def decode(
    loaded: Loaded, rows: list[Row], backend: Backend | None = None, graphs: bool = True
) -> list[torch.Tensor | None]:
    lm = loaded.generator.lm
    sizes = [positions_needed(lm, one) for one in rows]
    numbers = read_weights(lm, torch.float32)
    limits = SessionLimits(4, 512, 4 * 512, text=64, branches=rows[0].condition.branches)
    decoder = SlotDecoder(lm, numbers, limits, [one.sampling for one in rows], backend=backend)
    if not graphs:
        decoder._graphs = None
    else:
        assert decoder._graphs is not None
    found = dict(decoder.run(Queue(enumerate(sizes)), rows.__getitem__))
    if graphs:
        assert decoder._graphs is not None
        assert decoder._graphs.refused is None  # type: ignore[attr-defined]
    return [found[index] for index in range(len(rows))]


def same(some: list[torch.Tensor | None], others: list[torch.Tensor | None]) -> bool:
    return all(
        one is not None and other is not None and torch.equal(one, other)
        for one, other in zip(some, others, strict=True)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_tokens_in_float32_equal_audiocrafts_own(kind: str, on_gpu: Load) -> None:
    transformer.set_efficient_attention_backend("torch")
    model = on_gpu(kind)
    cues = [(PROMPTS[index % 3], frames) for index, frames in enumerate((40, 7, 23, 1, 15, 60))]
    stock = []
    for prompt, frames in cues:
        model.generator.set_generation_params(use_sampling=False, duration=frames / 50, extend_stride=1.2)
        stock.append(model.generator.generate([prompt], return_tokens=True)[1][0])
    assert same(decode(model, [row(model, *cue, GREEDY) for cue in cues]), stock)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", ["sdpa", None])
def test_a_graph_changes_no_bit_and_nor_does_company(
    kind: str, backend: Backend | None, on_gpu: Load
) -> None:
    """Lengths on both sides of a bucket's end, so that a neighbour widens what a short cue's step spans."""
    model = on_gpu(kind)
    cues = [
        row(model, PROMPTS[seed % 3], frames, SAMPLED, seed)
        for seed, frames in enumerate((90, 20, 33, 5, 64))
    ]
    graphed = decode(model, cues, backend)
    assert same(graphed, decode(model, cues, backend, graphs=False))
    for index, cue in enumerate(cues):
        assert same(decode(model, [cue], backend), [graphed[index]])


@pytest.mark.parametrize("kind", ["music-style", CROSSED])
def test_three_rows_a_cue_give_the_cpus_tokens_and_no_graph_or_company_changes_a_bit(
    kind: str, on_gpu: Load, loaded: Load
) -> None:
    here, model = loaded(kind), on_gpu(kind)
    heard = torch.randn((1, 64_000), generator=torch.Generator().manual_seed(2)) / 5

    def cues(sampling: Sampling) -> list[Row]:
        lengths = enumerate((90, 20, 33, 5, 64))
        return [row(here, PROMPTS[seed % 3], frames, sampling, seed, heard) for seed, frames in lengths]

    on_cpu = decode(here, cues(GREEDY), graphs=False)
    likeliest = decode(model, [moved(cue, "cuda:0") for cue in cues(GREEDY)])
    assert same([None if one is None else one.cpu() for one in likeliest], on_cpu)
    drawn = [moved(cue, "cuda:0") for cue in cues(SAMPLED)]
    for backend in available_backends(torch.device("cuda:0")):
        graphed = decode(model, drawn, backend)
        assert same(graphed, decode(model, drawn, backend, graphs=False))
        for index, cue in enumerate(drawn):
            assert same(decode(model, [cue], backend), [graphed[index]])


@pytest.mark.parametrize(
    ("outputs", "inputs", "rows"),
    [(4608, 1536, 64), (1536, 6144, 64), (1536, 1536, 32), (3072, 1024, 2), (2048, 2048, 128)],
)
@pytest.mark.parametrize("gelu", [False, True])
def test_a_rows_product_is_right_and_its_own(outputs: int, inputs: int, rows: int, gelu: bool) -> None:
    layers = pytest.importorskip("pipeline.generators.audiocraft.decoding.cuda.layers")
    draw = torch.Generator("cuda").manual_seed(0)
    weight = torch.randn((outputs, inputs), generator=draw, device="cuda").half() / inputs**0.5
    x = torch.randn((rows, inputs), generator=draw, device="cuda").half()
    product = layers.Product(weight, rows, gelu=gelu)
    own = x.double() @ weight.double().T
    own = torch.nn.functional.gelu(own) if gelu else own
    output = product(x).double().sum(0)
    assert (output - own).abs().max() < 2e-3 * own.abs().max()
    others = torch.cat([x[:1], torch.randn((rows - 1, inputs), generator=draw, device="cuda").half()])
    assert torch.equal(product(others)[:, 0], product(x)[:, 0])


@pytest.mark.parametrize("branches", [2, 3])
def test_a_rows_attention_is_right_and_its_own(branches: int) -> None:
    """Lengths around every border, with rubbish behind them, beside other neighbours and in another order."""
    attention = pytest.importorskip("pipeline.generators.audiocraft.decoding.cuda.attention")
    chunk, heads, size = attention.CHUNK, 24, 64
    lengths = [0, 1, 63, 64, 65, chunk - 1, chunk, chunk + 1, 2 * chunk, 5 * chunk + 100]
    draw = torch.Generator("cuda").manual_seed(0)
    rows, capacity = branches * len(lengths), 6 * chunk
    keys, values = (
        torch.randn((rows, heads, capacity, size), generator=draw, device="cuda").half() for _ in range(2)
    )
    parts = torch.randn((2, rows, 3 * heads * size), generator=draw, device="cuda")

    def seen(order: list[int]) -> torch.Tensor:
        """[slots, branches, heads, size] of the slots in ``order``."""
        place = torch.tensor(
            [branches * slot + branch for slot in order for branch in range(branches)], device="cuda"
        )
        past = [one[place].clone() for one in (keys, values)]
        positions = torch.tensor([lengths[slot] for slot in order], device="cuda")
        scratch = attention.Scratch(len(place), heads, size, capacity, torch.device("cuda"))
        attention.assign_chunks(positions, branches, scratch)
        return attention.attend(parts[:, place].contiguous(), *past, scratch).view(
            len(order), branches, heads, size
        )

    slots = list(range(len(lengths)))
    all_ = seen(slots)
    query, key, value = parts.sum(0).half().view(rows, 3, heads, size).unbind(1)
    for slot, length in enumerate(lengths):
        for branch in range(branches):
            row = slot * branches + branch
            k, v = (
                torch.cat([past[row, :, :length], new[row, :, None]], 1).double()
                for past, new in ((keys, key), (values, value))
            )
            own = torch.nn.functional.scaled_dot_product_attention(query[row, :, None].double(), k, v)[:, 0]
            assert (all_[slot, branch].double() - own).abs().max() < 4e-3
    backwards = seen(slots[::-1]).flip(0)
    assert torch.equal(backwards, all_)
    few = seen(slots[5:])
    assert torch.equal(few, all_[5:])


def test_draws_are_those_of_the_sampler_by_tensors() -> None:
    pytest.importorskip("triton")
    assert importlib.import_module("kernel_parity").drawn(torch.device("cuda:0")) > 0.98


def moved(one: Row, device: str) -> Row:
    """The same condition to the bit: two devices may quantise a style to different codes."""
    tensors = {name: (x.to(device), mask.to(device)) for name, (x, mask) in one.condition.tensors.items()}
    return replace(one, prompt=one.prompt.to(device), condition=replace(one.condition, tensors=tensors))


@pytest.mark.parametrize("kind", [*KINDS, "magnet"])
def test_a_take_is_bit_identical_alone_in_company_and_whatever_the_codecs_worker(
    kind: str, recipe: Make
) -> None:
    asked = [recipe(kind, f"prompt {'long ' * (seed % 5)}", 0.3 + seed / 40, seed) for seed in range(6)]
    worker = AudioCraftGenerator("cuda:0")
    together = takes_of(worker, asked)
    for one in asked:
        np.testing.assert_array_equal(together[one.digest], takes_of(worker, [one])[one.digest])
    inline = takes_of(AudioCraftGenerator("cuda:0", worker=lambda device: codec.CodecWorker("cpu")), asked)
    for digest, samples in together.items():
        np.testing.assert_array_equal(samples, inline[digest])


def test_memory_is_flat_over_a_thousand_cues(recipe: Make) -> None:
    worker = AudioCraftGenerator("cuda:0")
    asked = [recipe("music", f"prompt {seed % 50}", 0.04 + (seed % 12) / 20, seed) for seed in range(1000)]
    held, reserved = [], []
    for _, outcome in worker.generate(asked, {}):
        assert isinstance(outcome, GeneratedTake)
        held.append(torch.cuda.memory_allocated())
        reserved.append(torch.cuda.memory_reserved())
    print(f"allocated {held[200] / 1e6:.1f} MB at cue 200, {held[-1] / 1e6:.1f} MB at the end")
    assert max(held[-100:]) <= max(held[150:250]) + 2e6
    assert max(reserved[-100:]) <= max(reserved[150:250]) + 32e6


def test_out_of_memory_steps_down_and_frees_what_it_held(
    recipe: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, slots_seen = StaticCache.__init__, []

    def greedy(self: StaticCache, weights: Weights, slots: int, capacity: int, branches: int) -> None:
        slots_seen.append(slots)
        real(self, weights, slots, capacity if slots <= 4 else 1 << 31, branches)

    asked = [recipe("music", seed=seed, seconds=0.2) for seed in range(12)]
    worker = AudioCraftGenerator("cuda:0")
    takes_of(worker, asked[:1])
    before = torch.cuda.memory_allocated()
    monkeypatch.setattr(StaticCache, "__init__", greedy)
    assert len(takes_of(worker, asked)) == 12
    assert slots_seen[-1] <= 4 < slots_seen[0]
    assert torch.cuda.memory_allocated() < before + 2**25


def test_the_second_device_is_as_good_as_the_first(recipe: Make) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("one CUDA device")
    asked = [recipe("music", seed=seed, seconds=0.3) for seed in range(4)]
    first, second = (takes_of(AudioCraftGenerator(device), asked) for device in ("cuda:0", "cuda:1"))
    for digest, samples in first.items():
        np.testing.assert_array_equal(samples, second[digest])


def test_the_default_backend_is_one_of_cudas(on_gpu: Load) -> None:
    assert default_backend(read_weights(on_gpu("music").generator.lm, torch.float16)) in ("sdpa", "triton")


def takes_of(worker: AudioCraftGenerator, recipes: list[Recipe]) -> dict[str, np.ndarray]:
    made = {}
    for one, take in worker.generate(recipes, {}):
        assert isinstance(take, GeneratedTake)
        made[one.digest] = take.clip.samples
    return made
