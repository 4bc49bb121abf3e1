"""Steps in two halves, one of which is read while the other multiplies: a row's bits are those of a step in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.generators.audiocraft.conditions import condition_of
from pipeline.generators.audiocraft.decoder import halves, products, ways
from pipeline.generators.audiocraft.decoder import weights as reading
from pipeline.generators.audiocraft.decoder.engine import Room, SlotDecoder, size_of
from pipeline.generators.audiocraft.decoder.halves import HalvesTransformer, halves_of
from pipeline.generators.audiocraft.decoder.schedule import Queue
from pipeline.generators.audiocraft.decoder.slabs import Reading
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.rows import Row
from pipeline.generators.audiocraft.sampling import Sampling

Load = Callable[[str], Loaded]
SLOTS = 25
USUAL = Sampling(1.0, 20, 0.0, 3.0)


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a group has it; with models this small halves of fewer rows too."""
    monkeypatch.setattr(halves, "_LEAST_ROWS", 24)
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


def decode(loaded: Loaded, rows: list[Row], dtype: torch.dtype) -> tuple[SlotDecoder, list[torch.Tensor]]:
    """The decoder, and the codes of ``rows`` in their order."""
    lm = loaded.generator.lm
    sizes = [size_of(lm, one) for one in rows]
    room = Room(SLOTS, max(sizes), SLOTS * max(sizes), text=64, branches=rows[0].condition.branches)
    decoder = SlotDecoder(lm, reading.read(lm, dtype), room, [USUAL])
    found = dict(decoder.run(Queue(zip(range(len(rows)), sizes, strict=True)), rows.__getitem__))
    return decoder, [found[index] for index in range(len(rows))]


@pytest.mark.parametrize("kind", ["music", "music-melody", "music-style"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_halves_give_every_cue_the_bits_that_a_step_in_one_gives_it(
    kind: str, dtype: torch.dtype, loaded: Load, one_thread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not products.serves(torch.zeros(32, 64, dtype=dtype)):
        pytest.skip("this processor has no use for products of ours")
    model = loaded(kind)
    known = torch.zeros((model.generator.lm.num_codebooks, 0), dtype=torch.long)
    prompts = [condition_of(model.generator, text, None) for text in ("calm", "a door that creaks for long")]
    rows = [Row(seed, 0, 3 + 11 * seed % 75, known, prompts[seed % 2], USUAL) for seed in range(30)]
    ahead = []
    end = Reading.end

    def noted(self: Reading) -> torch.Tensor:
        ahead.append(int(self._state["slot"][0]))
        return end(self)

    monkeypatch.setattr(Reading, "end", noted)
    decoder, together = decode(model, rows, dtype)
    assert isinstance(decoder._transformer, HalvesTransformer)
    assert max(ahead) > 0, "products read nothing"
    monkeypatch.setattr(ways, "first_half", lambda *shape: None)
    decoder, whole = decode(model, rows, dtype)
    assert not isinstance(decoder._transformer, HalvesTransformer)
    for one, other in zip(together, whole, strict=True):
        assert torch.equal(one, other)


@given(st.lists(st.integers(0, 1500), min_size=2, max_size=40), st.data())
def test_halves_have_each_slot_once_and_about_as_much_behind_them(
    lengths: list[int], data: st.DataObject
) -> None:
    first = data.draw(st.integers(1, len(lengths) - 1))
    one, other = halves_of(lengths, first)
    assert len(one) == first
    assert sorted(one + other) == list(range(len(lengths)))
    if 2 * first == len(lengths):
        behind = [sum(lengths[slot] for slot in half) for half in (one, other)]
        assert abs(behind[0] - behind[1]) <= max(lengths)
