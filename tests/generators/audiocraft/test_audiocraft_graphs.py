"""The step as CUDA takes it, on a CPU: one static cache, every step a recording that is replayed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from recorded_graphs import RecordedGraphs, Recording
from tiny_checkpoints import KINDS

from pipeline.generators.audiocraft.conditions import encode_condition
from pipeline.generators.audiocraft.decoding.backends import Backend
from pipeline.generators.audiocraft.decoding.schedule import Queue
from pipeline.generators.audiocraft.decoding.session import SessionLimits, SlotDecoder, positions_needed
from pipeline.generators.audiocraft.decoding.weights import read_weights
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampling

AUTOREGRESSIVE = [kind for kind in KINDS if "magnet" not in kind]
WAYS = [
    Sampling(1.0, 20, 0.0, 3.0),
    Sampling(0.7, 0, 0.8, 1.5),
    Sampling(0.0, 0, 0.0, 3.0),
    Sampling(1.3, 0, 0.0, 4.0),
]
LENGTHS = (40, 7, 70, 1, 15, 33)

Load = Callable[[str], Loaded]


def rows_of(loaded: Loaded) -> list[Row]:
    generator = loaded.generator
    known = torch.zeros((generator.lm.num_codebooks, 0), dtype=torch.long)
    texts = ("calm", "wooden door", "heavy drums and brass, battle theme, fast and tense")
    return [
        Row(index, 0, frames, known, encode_condition(generator, texts[index % 3], None), WAYS[index % 4])
        for index, frames in enumerate(LENGTHS)
    ]


def decode(
    loaded: Loaded, backend: Backend, graphs: Callable[..., RecordedGraphs] | None = None
) -> tuple[dict[int, torch.Tensor | None], SlotDecoder]:
    lm = loaded.generator.lm
    rows = rows_of(loaded)
    sizes = [positions_needed(lm, one) for one in rows]
    decoder = SlotDecoder(
        lm,
        read_weights(lm, torch.float32),
        SessionLimits(3, max(sizes), 3 * max(sizes), text=64),
        WAYS,
        backend=backend,
        graphs=graphs,
    )
    return dict(decoder.run(Queue(enumerate(sizes)), rows.__getitem__)), decoder


def assert_same(found: dict[int, torch.Tensor | None], expected: dict[int, torch.Tensor | None]) -> None:
    assert found.keys() == expected.keys()
    for index, one in expected.items():
        other = found[index]
        assert one is not None
        assert other is not None
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", AUTOREGRESSIVE)
def test_the_static_cache_gives_the_tokens_of_the_cache_per_slot(kind: str, loaded: Load) -> None:
    model = loaded(kind)
    expected, _ = decode(model, "cpu")
    found, _ = decode(model, "sdpa")
    assert_same(found, expected)


@pytest.mark.parametrize("kind", AUTOREGRESSIVE)
def test_a_step_replayed_from_its_recording_is_the_step(kind: str, loaded: Load) -> None:
    model = loaded(kind)
    expected, _ = decode(model, "sdpa")
    made: list[RecordedGraphs] = []

    def graphs(state: object) -> RecordedGraphs:
        made.append(RecordedGraphs(state))  # type: ignore[arg-type]
        return made[0]

    found, decoder = decode(model, "sdpa", graphs)
    assert_same(found, expected)
    assert made[0].replays == decoder.steps_taken
    assert 1 < made[0].recordings < 5


def test_a_recording_refuses_what_the_host_would_wait_for() -> None:
    with Recording(), pytest.raises(AssertionError, match="makes the host wait"):
        bool(torch.ones(1) > 0)


def test_a_step_that_python_leads_by_the_hand_does_not_survive_its_recording(loaded: Load) -> None:
    """Python tells the cache per slot its positions: were this to pass, the recordings would prove nothing."""
    model = loaded("music")
    expected, _ = decode(model, "cpu")
    found, _ = decode(model, "cpu", RecordedGraphs)
    assert any(found[index] is None or not torch.equal(found[index], expected[index]) for index in expected)


@pytest.mark.parametrize("backend", ["cpu", "sdpa"])
@pytest.mark.parametrize("asked", WAYS)
def test_a_cue_of_nan_fails_alone_and_leaves_its_slot_clean(
    backend: Backend, asked: Sampling, loaded: Load
) -> None:
    model = loaded("music")
    lm = model.generator.lm
    first, second = (
        Row(
            seed,
            0,
            frames,
            torch.zeros((4, 0), dtype=torch.long),
            encode_condition(model.generator, "calm", None),
            asked,
        )
        for seed, frames in ((1, 40), (2, 20))
    )
    text, mask = first.condition.tensors["description"]
    sick = replace(
        first,
        condition=replace(
            first.condition, tensors={"description": (text * torch.tensor([[[1e38]], [[0.0]]]) * 1e38, mask)}
        ),
    )

    def decoded(rows: list[Row]) -> dict[int, torch.Tensor | None]:
        sizes = [positions_needed(lm, one) for one in rows]
        decoder = SlotDecoder(
            lm, read_weights(lm, torch.float32), SessionLimits(1, 60, 60), [asked], backend=backend
        )
        return dict(decoder.run(Queue(enumerate(sizes)), rows.__getitem__))

    found = decoded([sick, second])
    assert found[0] is None
    [alone] = decoded([second]).values()
    assert found[1] is not None
    assert alone is not None
    assert torch.equal(found[1], alone)
