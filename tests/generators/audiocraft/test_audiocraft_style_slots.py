"""Double guidance in the slots, three rows a cue: against AudioCraft's own forward, and against all around a cue."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from recorded_graphs import RecordedGraphs
from tiny_checkpoints import CROSSED

from pipeline.generators.audiocraft import memory, slot_decoding
from pipeline.generators.audiocraft.audiocraft_modules import transformer
from pipeline.generators.audiocraft.conditions import encode_condition, max_branches
from pipeline.generators.audiocraft.decoding.backends import Backend
from pipeline.generators.audiocraft.decoding.cpu.groups import SlotGroups
from pipeline.generators.audiocraft.decoding.schedule import Queue
from pipeline.generators.audiocraft.decoding.session import SessionLimits, SlotDecoder, positions_needed
from pipeline.generators.audiocraft.decoding.weights import read_weights
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampling

Load = Callable[[str], Loaded]

PROMPTS = ("calm", "wooden door", "heavy drums and brass, battle theme, fast and tense")
GREEDY = [Sampling(0.0, 0, 0.0, cfg, text) for cfg, text in ((3.0, 5.0), (2.0, 1.5), (4.0, 9.0))]
DRAWN = [
    Sampling(1.0, 20, 0.0, 3.0, 5.0),
    Sampling(0.7, 0, 0.8, 1.5, 2.0),
    Sampling(1.3, 0, 0.0, 4.0, 8.0),
    GREEDY[0],
]
# Frames and known frames: passes from the start, and such that carry something on.
CUES = ((40, 0), (7, 0), (23, 9), (1, 0), (60, 20), (15, 0), (70, 0))


@pytest.fixture(params=["music-style", CROSSED])
def styled(request: pytest.FixtureRequest, loaded: Load) -> Loaded:
    """A model of which one of three rows hears the text: at the front of its past, or by cross-attention."""
    return loaded(request.param)


def cue(
    loaded: Loaded, index: int, sampling: Sampling, frames: int, known: int = 0, *, double: bool = True
) -> Row:
    """A cue with an excerpt, a number of codebooks and a text by its ``index``, so that their prefixes differ."""
    generator = loaded.generator
    draw = torch.Generator().manual_seed(index)
    heard = 0.2 * torch.randn((1, int(32_000 * (1.5 + index % 3))), generator=draw)
    condition = encode_condition(generator, PROMPTS[index % 3], heard, (3, 1, 6)[index % 3], double)
    prompt = torch.randint(0, generator.lm.card, (generator.lm.num_codebooks, known), generator=draw)
    return Row(index, index % 2, frames, prompt, condition, sampling)


def cues_of(loaded: Loaded, how: Sequence[Sampling]) -> list[Row]:
    return [cue(loaded, index, how[index % len(how)], *CUES[index]) for index in range(len(CUES))]


def decode(
    loaded: Loaded,
    rows: list[Row],
    slots: int = 3,
    dtype: torch.dtype = torch.float32,
    *,
    backend: Backend | None = None,
    groups: int = 1,
    graphs: Callable[..., RecordedGraphs] | None = None,
) -> list[torch.Tensor | None]:
    """Codes of ``rows``, in their order."""
    lm = loaded.generator.lm
    numbers = read_weights(lm, dtype)
    sizes = [positions_needed(lm, one) for one in rows]
    # As long for one cue alone as for all: in PyTorch's own attention the cache's length is part of its shape.
    limits = SessionLimits(slots, 160, slots * 160, text=64, branches=rows[0].condition.branches)
    all_sampling = [one.sampling for one in rows]

    def make() -> SlotDecoder:
        return SlotDecoder(lm, numbers, limits, all_sampling, backend=backend, graphs=graphs)

    decoder: SlotDecoder | SlotGroups[int] = make() if groups == 1 else SlotGroups(make, groups)
    found = dict(decoder.run(Queue(enumerate(sizes)), rows.__getitem__))
    return [found[index] for index in range(len(rows))]


def same(some: Sequence[torch.Tensor | None], others: Sequence[torch.Tensor | None]) -> bool:
    return all(
        one is not None and other is not None and torch.equal(one, other)
        for one, other in zip(some, others, strict=True)
    )


@torch.no_grad()
def by_audiocrafts_forward(loaded: Loaded, row: Row) -> torch.Tensor:
    """Greedy tokens of one cue alone: all of its past through `LMModel.forward` at every step, a row at a time."""
    transformer.set_efficient_attention_backend("torch")
    lm, asked = loaded.generator.lm, row.sampling
    pattern = lm.pattern_provider.get_pattern(row.length)
    codes = torch.full((1, lm.num_codebooks, row.length), -1)
    codes[0, :, : row.prompt.shape[1]] = row.prompt
    arranged, _, valid = pattern.build_pattern_sequence(codes, lm.special_token_id)
    branches = [
        {
            name: (value[one : one + 1], mask[one : one + 1])
            for name, (value, mask) in row.condition.tensors.items()
        }
        for one in range(row.condition.branches)
    ]
    for step in range(pattern.get_first_step_with_timesteps(row.prompt.shape[1]), arranged.shape[2]):
        logits = [lm(arranged[..., :step], [], tensors)[:, :, -1] for tensors in branches]
        own, null = logits[0], logits[-1]
        pushed = null + (own - null) * asked.cfg
        if len(logits) == 3:
            pushed = null + asked.cfg * (logits[1] + asked.cfg_text * (own - logits[1]) - null)
        best = torch.where(valid[None, :, step], pushed.argmax(-1), lm.special_token_id)
        arranged[..., step] = torch.where(arranged[..., step] == -1, best, arranged[..., step])
    return pattern.revert_pattern_sequence(arranged, special_token=-1)[0][0, :, : row.length]


def test_greedy_tokens_equal_audiocrafts_forward_whatever_the_neighbours_lengths_and_slot(
    styled: Loaded,
) -> None:
    rows = cues_of(styled, GREEDY)
    expected = [by_audiocrafts_forward(styled, one) for one in rows]
    assert len({tuple(one.flatten().tolist()) for one in expected}) == len(rows)
    assert len(expected[-1].unique()) > 4
    for slots, backend, groups in ((2, "cpu", 1), (5, "cpu", 1), (2, "cpu", 2), (3, "sdpa", 1)):
        assert same(decode(styled, rows, slots, backend=backend, groups=groups), expected)  # type: ignore[arg-type]


def test_text_and_style_alike_need_two_rows_and_come_to_what_three_do(loaded: Load) -> None:
    """With a coefficient of 1 the style's own answer drops out of the formula."""
    model, alike = loaded("music-style"), replace(GREEDY[0], cfg_text=1.0)
    two, three = (
        [cue(model, index, alike, 30, double=double) for index in range(3)] for double in (False, True)
    )
    assert [one.condition.branches for one in (two[0], three[0])] == [2, 3]
    found = decode(model, two)
    assert same(found, [by_audiocrafts_forward(model, one) for one in two])
    assert same(found, decode(model, three))


@pytest.mark.parametrize(
    ("backend", "groups", "dtype"),
    [
        ("cpu", 2, torch.float32),
        ("cpu", 2, torch.bfloat16),
        ("sdpa", 1, torch.float32),
        pytest.param("sdpa", 1, torch.bfloat16, marks=pytest.mark.slow),
        pytest.param("cpu", 1, torch.float32, marks=pytest.mark.slow),
        pytest.param("cpu", 1, torch.bfloat16, marks=pytest.mark.slow),
    ],
)
def test_a_sampled_cue_is_bit_identical_alone_in_any_company_and_in_any_order(
    backend: Backend, groups: int, dtype: torch.dtype, styled: Loaded
) -> None:
    rows = cues_of(styled, DRAWN)
    together = decode(styled, rows, dtype=dtype, backend=backend, groups=groups)
    order = random.Random(4).sample(range(len(rows)), len(rows))
    shuffled = decode(styled, [rows[index] for index in order], dtype=dtype, backend=backend)
    assert same(shuffled, [together[index] for index in order])
    for index in (1, 2, 4):
        assert same(decode(styled, [rows[index]], dtype=dtype, backend=backend), [together[index]])


def test_a_step_of_three_rows_replayed_from_its_recording_is_the_step(styled: Loaded) -> None:
    """As a CUDA graph would: nothing read back, every tensor where it was."""
    rows, made = cues_of(styled, DRAWN), []

    def graphs(state: Any) -> RecordedGraphs:
        made.append(RecordedGraphs(state))
        return made[0]

    assert same(decode(styled, rows, backend="sdpa", graphs=graphs), decode(styled, rows, backend="sdpa"))
    assert made[0].replays > 70
    assert 1 < made[0].recordings < 5


@pytest.mark.parametrize("backend", ["cpu", "sdpa"])
@pytest.mark.parametrize("branch", [0, 1, 2])
def test_nan_in_any_of_the_three_rows_fails_the_cue_alone_and_leaves_its_slot_clean(
    branch: int, backend: Backend, loaded: Load
) -> None:
    model = loaded("music-style")
    first, second = (cue(model, index, DRAWN[0], frames) for index, frames in ((1, 40), (2, 20)))
    style, mask = first.condition.tensors["self_wav"]
    style = style.clone()
    style[branch] = torch.inf
    tensors = {**first.condition.tensors, "self_wav": (style, mask)}
    sick = replace(first, condition=replace(first.condition, tensors=tensors))
    failed, after = decode(model, [sick, second], slots=1, backend=backend)
    assert failed is None
    assert same([after], decode(model, [second], slots=1, backend=backend))


def test_a_cue_of_two_rows_is_refused_where_slots_have_three(loaded: Load) -> None:
    model = loaded("music-style")
    rows = [cue(model, 0, GREEDY[0], 10), cue(model, 1, GREEDY[0], 10, double=False)]
    with pytest.raises(ValueError, match="a cue of 2 rows in a decoder for 3"):
        decode(model, rows)


def test_the_memory_model_counts_three_rows_for_a_model_with_a_style(
    loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that holds 8 windows of two rows and not 8 of three."""
    model = loaded("music-style")
    own = slot_decoding.SlotModel(model)
    assert (max_branches(model.generator), max_branches(loaded("music-melody").generator)) == (3, 2)
    window = 100 * 2 * 2 * 32 * 4
    weights = 2 * memory.parameter_bytes(model.generator.lm)
    monkeypatch.setattr(memory, "total_bytes", lambda device: int((weights + 8 * 2.5 * window) / 0.8))
    assert own.slots == 4
    monkeypatch.setattr(memory, "total_bytes", lambda device: int((weights + 8 * 3.1 * window) / 0.8))
    assert own.slots == 8
    assert own._budget(2) == pytest.approx(1.5 * own._budget(3), abs=2)
