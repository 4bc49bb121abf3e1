"""The host ahead of the device: what ended is reported later, and never lost. A stand-in plays the device behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from queues import drain

from pipeline.generators.audiocraft.audiocraft_modules import patterns
from pipeline.generators.audiocraft.conditions import encode_condition
from pipeline.generators.audiocraft.decoding import session
from pipeline.generators.audiocraft.decoding.cuda.host import HostCopy
from pipeline.generators.audiocraft.decoding.schedule import Queue
from pipeline.generators.audiocraft.decoding.session import (
    SessionLimits,
    SlotDecoder,
    check_null_text,
    positions_needed,
)
from pipeline.generators.audiocraft.decoding.weights import read_weights
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.rows import UNKNOWN, Row, layout_of
from pipeline.generators.audiocraft.sampling import Sampling

Load = Callable[[str], Loaded]
SAMPLED = Sampling(1.0, 20, 0.0, 3.0)
LENGTHS = (12, 3, 9, 1, 6, 15, 2, 4)


class Late(HostCopy):
    """Is here only when asked ``PATIENCE`` times, or waited for."""

    PATIENCE = 5

    def __init__(self, *numbers: torch.Tensor) -> None:
        super().__init__(*numbers)
        self._asked = 0

    def is_done(self) -> bool:
        self._asked += 1
        return self._asked > self.PATIENCE


def _read_back_only_when_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "HostCopy", Late)
    monkeypatch.setattr(Late, "PATIENCE", 10**9)


@pytest.fixture
def rows(loaded: Load) -> list[Row]:
    generator = loaded("music").generator
    known = torch.zeros((generator.lm.num_codebooks, 0), dtype=torch.long)
    return [
        Row(seed, 0, frames, known, encode_condition(generator, f"cue {seed}", None), SAMPLED)
        for seed, frames in enumerate(LENGTHS)
    ]


def decoder_and_queue(loaded: Loaded, rows: list[Row]) -> tuple[SlotDecoder, Queue[int]]:
    lm = loaded.generator.lm
    sizes = [positions_needed(lm, one) for one in rows]
    limits = SessionLimits(3, max(sizes), 3 * max(sizes), text=64)
    return SlotDecoder(lm, read_weights(lm, torch.float32), limits, [SAMPLED]), Queue(enumerate(sizes))


def reported(found: Iterator[tuple[int, torch.Tensor | None]]) -> dict[int, torch.Tensor]:
    codes = {}
    for index, one in found:
        assert one is not None
        assert index not in codes
        codes[index] = one
    return codes


def test_codes_that_come_late_are_the_same(
    loaded: Load, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder, queue = decoder_and_queue(loaded("music"), rows)
    expected = reported(decoder.run(queue, rows.__getitem__))
    monkeypatch.setattr(session, "HostCopy", Late)
    decoder, queue = decoder_and_queue(loaded("music"), rows)
    found = reported(decoder.run(queue, rows.__getitem__))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[index], one) for index, one in expected.items())


def test_a_cue_that_is_put_back_for_its_next_pass_is_let_in_again(
    loaded: Load, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when every other has ended by the time that its codes are there."""
    monkeypatch.setattr(session, "HostCopy", Late)
    decoder, queue = decoder_and_queue(loaded("music"), rows)
    seen: list[int] = []
    for index, _ in decoder.run(queue, rows.__getitem__):
        if index not in seen:
            queue.put(index, positions_needed(loaded("music").generator.lm, rows[index]))
        seen.append(index)
    assert sorted(seen) == sorted([*range(len(rows)), *range(len(rows))])


def test_what_ended_and_was_not_reported_waits_again_after_an_error(
    loaded: Load, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    _read_back_only_when_waited_for(monkeypatch)
    decoder, queue = decoder_and_queue(loaded("music"), rows)
    real, steps = decoder._step, []

    def failing(slots: list[object]) -> None:
        steps.append(1)
        if len(steps) == 16:
            raise torch.OutOfMemoryError("none left")
        real(slots)  # type: ignore[arg-type]

    monkeypatch.setattr(decoder, "_step", failing)
    with pytest.raises(torch.OutOfMemoryError):
        reported(decoder.run(queue, rows.__getitem__))
    assert sorted(drain(queue)) == list(range(len(rows)))


def test_when_asked_to_stop_it_tells_what_has_ended(
    loaded: Load, rows: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    _read_back_only_when_waited_for(monkeypatch)
    decoder, queue = decoder_and_queue(loaded("music"), rows)
    found = reported(decoder.run(queue, rows.__getitem__, lambda: decoder.steps_taken == 17))
    assert found
    assert sorted([*found, *drain(queue)]) == list(range(len(rows)))


def test_a_null_condition_that_is_not_zero_is_refused(loaded: Load, rows: list[Row]) -> None:
    lm, condition = loaded("music").generator.lm, rows[0].condition
    check_null_text(lm, condition)
    (name, (embedding, mask)), *_ = condition.tensors.items()
    loud = embedding.clone()
    loud[-1] = 1.0
    condition.tensors[name] = (loud, mask)
    with pytest.raises(ValueError, match="null condition is not zero"):
        check_null_text(lm, condition)


@pytest.mark.parametrize(
    "provider",
    [
        patterns.DelayedPatternProvider(4),
        patterns.DelayedPatternProvider(3, [0, 2, 2]),
        patterns.ParallelPatternProvider(4),
        patterns.DelayedPatternProvider(4, flatten_first=2),
    ],
)
@pytest.mark.parametrize("frames", [1, 2, 5, 40])
def test_codes_lie_where_audiocrafts_pattern_has_them(
    provider: patterns.CodebooksPatternProvider, frames: int
) -> None:
    own, layout = provider.get_pattern(frames), layout_of(provider, frames)
    for known in range(frames):
        codes = torch.arange(provider.n_q * frames).view(provider.n_q, frames)
        codes[:, known:] = UNKNOWN
        arranged, valid = layout.arrange(codes, 999)
        expected, _, its_valid = own.build_pattern_sequence(codes[None], 999)
        assert layout.steps == arranged.shape[1]
        assert torch.equal(arranged, expected[0])
        assert torch.equal(valid, its_valid)
        assert layout.step_of(known) == own.get_first_step_with_timesteps(known)
        assert torch.equal(layout.frames(arranged), codes)
