"""The codec beside the steps: nothing lost, nobody waits for another's failure, nothing changes a bit."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from recorded_graphs import RecordedGraphs

from pipeline.errors import GenerationError
from pipeline.generators import GeneratedTake
from pipeline.generators.audiocraft import codec
from pipeline.generators.audiocraft.codec import CodecQueue, CodecWorker
from pipeline.generators.audiocraft.decoding import session
from pipeline.generators.audiocraft.decoding.cpu.attention import SlotCache
from pipeline.generators.audiocraft.decoding.transformer import Transformer
from pipeline.generators.audiocraft.generator import AudioCraftGenerator
from pipeline.recipe import Recipe

Make = Callable[..., Recipe]


class Slow:
    """A worker whose work is done when somebody waits for it, or ``after`` further launches."""

    def __init__(self, after: int = 10**9) -> None:
        self.after = after
        self.launched: list[Work] = []

    def launch(self, codes: torch.Tensor, decode: Callable[[torch.Tensor], torch.Tensor]) -> Work:
        self.launched.append(Work(self, len(self.launched), codes, decode))
        return self.launched[-1]


class Work:
    def __init__(
        self, worker: Slow, number: int, codes: torch.Tensor, decode: Callable[[torch.Tensor], torch.Tensor]
    ) -> None:
        self._worker, self._number, self._codes, self._decode = worker, number, codes, decode
        self.waited = False

    def is_done(self) -> bool:
        return len(self._worker.launched) > self._number + self._worker.after

    def wait(self) -> list[torch.Tensor]:
        self.waited = not self.is_done()
        return [self._decode(self._codes).float()]


def test_no_more_than_the_bound_is_underway_and_all_come_back_in_order() -> None:
    worker = Slow()
    codecs: CodecQueue[int] = CodecQueue(worker, limit=3)
    back = []
    for number in range(10):
        back += list(codecs.put(number, torch.tensor([number]), lambda codes: codes * 2))
        assert len(codecs._in_flight) <= 3
        assert not codecs._waiting
    assert [item for item, _ in back] == list(range(7))
    back += list(codecs.drain())
    assert [(item, int(audio)) for item, audio in back] == [(n, 2 * n) for n in range(10)]  # type: ignore[arg-type]
    assert not codecs._in_flight


def test_what_is_done_is_given_back_without_waiting() -> None:
    worker = Slow(after=2)
    codecs: CodecQueue[int] = CodecQueue(worker, limit=8)
    back = [
        item
        for number in range(6)
        for item, _ in codecs.put(number, torch.tensor([number]), lambda codes: codes)
    ]
    assert back == [0, 1, 2, 3]
    assert not any(work.waited for work in worker.launched)


@pytest.mark.parametrize("worker", [partial(CodecWorker, "cpu"), Slow])
def test_a_codec_that_fails_on_one_item_fails_no_other(worker: Callable[[], CodecWorker | Slow]) -> None:
    def decode(codes: torch.Tensor) -> torch.Tensor:
        if int(codes) == 1:
            raise RuntimeError("bad codes\nand a long trace")
        return codes

    codecs: CodecQueue[int] = CodecQueue(worker())
    back = dict(pair for number in range(3) for pair in codecs.put(number, torch.tensor([number]), decode))
    back |= dict(codecs.drain())
    assert isinstance(back[1], GenerationError)
    assert str(back[1]).startswith("the codec failed on this take (RuntimeError: bad codes); reject it")
    assert [int(back[number]) for number in (0, 2)] == [0, 2]  # type: ignore[arg-type]


def test_an_item_without_memory_beside_the_cache_waits_until_that_is_free() -> None:
    full = True

    def decode(codes: torch.Tensor) -> torch.Tensor:
        if (full and int(codes) == 1) or int(codes) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return codes

    codecs: CodecQueue[int] = CodecQueue(CodecWorker("cpu"))
    before = dict(pair for number in range(4) for pair in codecs.put(number, torch.tensor([number]), decode))
    assert set(before) == {0, 3}
    full = False
    after = dict(codecs.drain())
    assert int(after[1]) == 1  # type: ignore[arg-type]
    assert isinstance(after[2], GenerationError)
    assert "too little memory for this take alone" in str(after[2])


def takes_of(worker: AudioCraftGenerator, recipes: list[Recipe]) -> dict[str, GeneratedTake]:
    made: dict[str, GeneratedTake] = {}
    for one, take in worker.generate(recipes, {}):
        assert isinstance(take, GeneratedTake)
        made[one.digest] = take
    return made


@pytest.mark.parametrize("kind", ["music", "music-stereo", "magnet"])
def test_a_takes_bits_do_not_depend_on_when_the_codec_comes_to_it(kind: str, recipe: Make) -> None:
    asked = [recipe(kind, seed=seed, seconds=0.1 + seed / 30) for seed in range(9)]
    plain = takes_of(AudioCraftGenerator("cpu"), asked)
    slow = takes_of(AudioCraftGenerator("cpu", worker=lambda device: Slow(after=3)), asked)
    assert plain.keys() == slow.keys()
    for digest, take in plain.items():
        np.testing.assert_array_equal(take.clip.samples, slow[digest].clip.samples)


def test_the_codec_works_while_later_cues_are_still_decoded(
    recipe: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A take is handed over when it ends, and nobody waits for it before the last step."""
    worker = Slow()
    steps: list[int] = []
    real = Transformer.step

    def step(self: Transformer, *args: torch.Tensor) -> torch.Tensor:
        steps.append(len(worker.launched))
        assert not any(work.waited for work in worker.launched)
        return real(self, *args)

    monkeypatch.setattr(Transformer, "step", step)
    made = AudioCraftGenerator("cpu", worker=lambda device: worker).generate(
        [recipe("music", seed=seed, seconds=0.1 + seed / 10) for seed in range(5)], {}
    )
    assert len(list(made)) == 5
    assert set(steps) == {0, 1, 2, 3, 4}


class _Room:
    """Memory that holds no more than ``slots`` slots, reported by errors in four places; counts what is alive."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.held: list[weakref.ref[object]] = []
        self.alive_at_retry: list[int] = []

    def claim(self, thing: object, slots: int) -> None:
        gc.collect()
        self.alive_at_retry.append(sum(ref() is not None for ref in self.held))
        self.held.append(weakref.ref(thing))
        self.check(slots)

    def check(self, slots: int) -> None:
        if slots > self.slots:
            raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize("place", ["cache", "capture", "step", pytest.param("codec", marks=pytest.mark.slow)])
def test_out_of_memory_anywhere_halves_the_slots_and_goes_on(
    place: str, recipe: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cues that had ended are kept, the others are decoded with half as many slots, and what had failed is freed."""
    asked = [recipe("music", seed=seed, seconds=0.1 + (seed % 4) / 8) for seed in range(12)]
    room = _Room(4)
    begun = []
    init, step = SlotCache.__init__, session.SlotDecoder._step

    def cached(self: SlotCache, weights: object, slots: int, branches: int) -> None:
        begun.append(slots)
        room.claim(self, slots if place == "cache" else 0)
        init(self, weights, slots, branches)  # type: ignore[arg-type]

    def stepped(self: session.SlotDecoder, slots: list[object]) -> None:
        if place == "step" and self.steps_taken == 24:
            room.check(len(slots))
        step(self, slots)  # type: ignore[arg-type]

    def captured(self: RecordedGraphs, key: int, work: Callable[[], None]) -> None:
        try:
            room.check(8 if len(begun) == 1 else 4)
        except torch.OutOfMemoryError:
            # What PyTorch raises when it ends a capture that ran out of memory.
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")  # noqa: B904
        work()

    monkeypatch.setattr(SlotCache, "__init__", cached)
    monkeypatch.setattr(session.SlotDecoder, "_step", stepped)
    if place == "capture":
        monkeypatch.setattr(RecordedGraphs, "run", captured)
        real = session.SlotDecoder.__init__

        def graphed(self: session.SlotDecoder, *args: object, **options: object) -> None:
            real(self, *args, graphs=RecordedGraphs, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(session.SlotDecoder, "__init__", graphed)
    if place == "codec":
        _codec_needs_the_caches_room(monkeypatch, room)
    worker = AudioCraftGenerator("cpu")
    made = takes_of(worker, asked)
    assert len(made) == 12
    rows = [take.notes["rows"] for take in made.values()]
    assert begun == ([8] if place == "codec" else [8, 4])
    assert set(rows) == {"cache": {4}, "capture": {4}, "step": {8, 4}, "codec": {8}}[place]
    assert not any(room.alive_at_retry)
    plain = takes_of(_with_slots(4, asked[0]), asked)
    for digest, take in made.items():
        if take.notes["rows"] == 4 and place != "capture":
            np.testing.assert_array_equal(take.clip.samples, plain[digest].clip.samples)


def _codec_needs_the_caches_room(monkeypatch: pytest.MonkeyPatch, room: _Room) -> None:
    real = codec.decode

    def decode(loaded: object, codes: torch.Tensor) -> torch.Tensor:
        if codes.shape[1] > 20 and any(ref() is not None for ref in room.held):
            gc.collect()
        if codes.shape[1] > 20 and any(ref() is not None for ref in room.held):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(loaded, codes)  # type: ignore[arg-type]

    monkeypatch.setattr(codec, "decode", decode)


def _with_slots(slots: int, one: Recipe) -> AudioCraftGenerator:
    worker = AudioCraftGenerator("cpu")
    worker._model(one.model, one.revision).rows = slots
    return worker


def test_what_is_left_when_not_one_slot_fits_is_said_take_by_take(
    recipe: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(self: SlotCache, weights: object, slots: int, branches: int) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(SlotCache, "__init__", none)
    made = list(AudioCraftGenerator("cpu").generate([recipe("music", seed=seed) for seed in range(3)], {}))
    assert len(made) == 3
    assert all("too little memory for this take alone" in str(outcome) for _, outcome in made)
