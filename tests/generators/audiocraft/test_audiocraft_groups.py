"""Groups of slots side by side: the same bits as one group, and nothing lost when one of them fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from queues import drain

from pipeline.generators.audiocraft.conditions import encode_condition
from pipeline.generators.audiocraft.decoding.cpu.groups import SlotGroups
from pipeline.generators.audiocraft.decoding.schedule import Queue
from pipeline.generators.audiocraft.decoding.session import SessionLimits, SlotDecoder, positions_needed
from pipeline.generators.audiocraft.decoding.weights import read_weights
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampling

USUAL = Sampling(1.0, 20, 0.0, 3.0)


@pytest.fixture
def cues(loaded: Callable[[str], Loaded]) -> tuple[Loaded, list[Row]]:
    model = loaded("music")
    known = torch.zeros((model.generator.lm.num_codebooks, 0), dtype=torch.long)
    condition = encode_condition(model.generator, "calm", None)
    return model, [Row(seed, 0, 5 + 7 * seed % 40, known, condition, USUAL) for seed in range(13)]


def maker(model: Loaded, rows: list[Row]) -> tuple[Callable[[], SlotDecoder], Queue[int]]:
    lm = model.generator.lm
    numbers = read_weights(lm, torch.float32)
    sizes = [positions_needed(lm, one) for one in rows]
    limits = SessionLimits(3, max(sizes), 3 * max(sizes))
    return lambda: SlotDecoder(lm, numbers, limits, [USUAL]), Queue(zip(range(len(rows)), sizes, strict=True))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_groups_give_every_cue_the_bits_that_one_group_gives_it(
    count: int, cues: tuple[Loaded, list[Row]]
) -> None:
    model, rows = cues
    make, queue = maker(model, rows)
    alone = dict(make().run(queue, rows.__getitem__))
    make, queue = maker(model, rows)
    groups: SlotGroups[int] = SlotGroups(make, count)
    together = dict(groups.run(queue, rows.__getitem__))
    assert sorted(together) == list(range(len(rows)))
    for cue, codes in together.items():
        assert torch.equal(codes, alone[cue])
    assert groups.steps_taken * 3 >= sum(one.length for one in rows)


def test_a_cue_that_is_put_back_while_groups_run_is_decoded(cues: tuple[Loaded, list[Row]]) -> None:
    model, rows = cues
    make, queue = maker(model, rows)
    waiting = [cue for cue in sorted(drain(queue)) if cue < 2]
    for cue in waiting:
        queue.put(cue, positions_needed(model.generator.lm, rows[cue]))
    again, seen = [5, 5, 5], []
    for cue, _ in SlotGroups(make, 2).run(queue, rows.__getitem__):
        seen.append(cue)
        if again:
            queue.put(again.pop(), positions_needed(model.generator.lm, rows[5]))
    assert sorted(seen) == [0, 1, 5, 5, 5]


def test_a_cue_that_no_group_has_room_for_is_left_in_the_queue(cues: tuple[Loaded, list[Row]]) -> None:
    model, rows = cues
    make, queue = maker(model, rows[:2])
    queue.put(5, 1000)
    assert sorted(cue for cue, _ in SlotGroups(make, 2).run(queue, rows.__getitem__)) == [0, 1]
    assert drain(queue) == [5]


def test_when_one_group_fails_the_other_stops_and_no_cue_is_lost(
    cues: tuple[Loaded, list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    model, rows = cues
    make, queue = maker(model, rows)
    step = SlotDecoder._step
    failing: list[SlotDecoder] = []

    def broken(self: SlotDecoder, slots: list[object]) -> None:
        if self.steps_taken == 20 and self in (failing or [self]):
            failing.append(self)
            raise torch.OutOfMemoryError("no room")
        step(self, slots)  # type: ignore[arg-type]

    monkeypatch.setattr(SlotDecoder, "_step", broken)
    ended: list[int] = []
    with pytest.raises(torch.OutOfMemoryError):
        ended.extend(cue for cue, _ in SlotGroups(make, 2).run(queue, rows.__getitem__))
    assert len(set(failing)) == 1
    assert sorted([*ended, *drain(queue)]) == list(range(len(rows)))


def test_a_caller_that_goes_away_stops_the_groups_and_leaves_its_threads_as_they_were(
    cues: tuple[Loaded, list[Row]],
) -> None:
    model, rows = cues
    make, queue = maker(model, rows)
    before = torch.get_num_threads()
    running: Iterator[tuple[int, torch.Tensor | None]] = SlotGroups(make, 2).run(queue, rows.__getitem__)
    first, _ = next(running)
    running.close()  # type: ignore[attr-defined]
    assert torch.get_num_threads() == before
    left = drain(queue)
    assert first not in left
    assert len(left) >= len(rows) - 7
