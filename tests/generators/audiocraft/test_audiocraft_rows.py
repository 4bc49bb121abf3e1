"""A take belongs to its recipe: alone, in any company, in any order, its bits are the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from tiny_checkpoints import KINDS

from pipeline.audio import Clip
from pipeline.errors import GenerationError
from pipeline.generators import GeneratedTake
from pipeline.generators.audiocraft import batch_decoding, codec, slot_decoding
from pipeline.generators.audiocraft.generator import AudioCraftGenerator, PreparedModel
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.rows import Row
from pipeline.recipe import Recipe

PROMPTS = (
    "calm",
    "heavy drums and brass, battle theme, fast and tense",
    "a single footstep on gravel, close, dry",
    "wooden door creaks open slowly in a stone hall " * 4,
)
TUNE = Clip(np.sin(np.arange(32_000) / 20).astype(np.float32)[None] * 0.5, 32_000)

Make = Callable[..., Recipe]


def _takes(generator: AudioCraftGenerator, recipes: Sequence[Recipe]) -> dict[str, GeneratedTake]:
    made = {}
    for recipe, take in generator.generate(recipes, {"tune": TUNE}):
        assert not isinstance(take, GenerationError)
        made[recipe.digest] = take
    return made


def _same(one: GeneratedTake, other: GeneratedTake) -> bool:
    return (
        np.array_equal(one.clip.samples, other.clip.samples)
        and one.attachments == other.attachments
        and one.notes == other.notes
    )


def _company(kind: str, recipe: Make) -> list[Recipe]:
    """More than a batch: prompts, lengths and sampling all mixed, some of them longer than the window."""
    magnet = "magnet" in kind
    company = []
    for seed in range(4 if magnet else 10):
        seconds = 0.2 + 0.13 * (seed % 5)
        changes: dict[str, object] = {"temperature": 2.0 + seed % 2}
        if not magnet:
            changes = {"temperature": 0.8 + seed / 10, "cfg": 2.0 + seed % 3}
            changes |= {"top_k": (0, 10, 20)[seed % 3], "top_p": (0.0, 0.7)[seed % 2]}
            if seed == 7:
                seconds, changes["stride_s"] = 2.6, 1.2
            if seed == 8:
                changes |= {"prompt_s": 0.3, "conditioning": {"continue_from": "tune"}}
            if seed == 9 and "melody" in kind:
                changes["conditioning"] = {"melody": "tune"}
        company.append(recipe(kind, PROMPTS[seed % 4], seconds, seed, **changes))
    return company


@pytest.mark.parametrize("kind", KINDS)
def test_a_take_is_bit_identical_alone_and_in_shuffled_company(
    kind: str, generator: AudioCraftGenerator, recipe: Make
) -> None:
    recipes = _company(kind, recipe)
    together = _takes(generator, recipes)
    shuffled = random.Random(4).sample(recipes, len(recipes))
    again = _takes(generator, shuffled)
    assert all(_same(together[one.digest], again[one.digest]) for one in recipes)
    for one in recipes[:1] + recipes[7:]:
        assert _same(together[one.digest], _takes(generator, [one])[one.digest])


def test_what_a_resumed_build_has_left_is_made_as_before(
    generator: AudioCraftGenerator, recipe: Make
) -> None:
    recipes = _company("music", recipe)
    together = _takes(generator, recipes)
    left = _takes(AudioCraftGenerator("cpu"), recipes[3:6])
    assert all(_same(together[digest], take) for digest, take in left.items())


def test_variations_of_one_prompt_differ(generator: AudioCraftGenerator, recipe: Make) -> None:
    recipes = [recipe("sfx", seed=seed) for seed in range(6)]
    codes = {take.attachments["codes"] for take in _takes(generator, recipes).values()}
    assert len(codes) == 6


def test_another_model_in_the_same_worker_changes_no_bit(
    generator: AudioCraftGenerator, recipe: Make
) -> None:
    asked = recipe("music", "calm", 0.4)
    before = _takes(generator, [asked])[asked.digest]
    _takes(generator, [recipe("magnet", "calm", 0.4)])
    assert _same(before, _takes(generator, [asked])[asked.digest])


def test_audiocrafts_own_batch_would_have_changed_it(loaded: Callable[[str], Loaded], recipe: Make) -> None:
    """Why prompts are masked: unmasked padding of a longer neighbour moves the shorter one's tokens."""
    model = loaded("music").generator
    model.set_generation_params(use_sampling=False, duration=0.8, extend_stride=1.2)
    _, alone = model.generate(["calm"], return_tokens=True)
    _, paired = model.generate(["calm", PROMPTS[3]], return_tokens=True)
    assert not torch.equal(alone[0], paired[0])


def test_codes_read_back_as_they_were_and_decode_to_the_take(
    generator: AudioCraftGenerator, recipe: Make, loaded: Callable[[str], Loaded]
) -> None:
    asked = recipe("music-stereo", "calm", 0.4)
    take = _takes(generator, [asked])[asked.digest]
    codes, about = codec.unpack(take.attachments["codes"])
    assert (codes.shape, about["model"]) == ((8, 20), "local/music-stereo")
    audio = codec.decode(loaded("music-stereo").generator.compression_model, codes)
    np.testing.assert_array_equal(audio.numpy()[:, : take.clip.length], take.clip.samples)


@pytest.mark.parametrize("kind", ["music", "magnet"])
def test_a_model_that_gives_nan_fails_the_take_with_a_reason(
    kind: str, loaded: Callable[[str], Loaded], recipe: Make
) -> None:
    worker = AudioCraftGenerator("cpu")
    asked = recipe(kind)
    _takes(worker, [asked])
    [(key, model)] = worker._models.items()
    with torch.no_grad():
        model.loaded.generator.lm.linears[1].weight[0, 0] = torch.nan
    worker._models[key] = PreparedModel.of(model.loaded)
    [(_, failed)] = worker.generate([asked], {})
    assert isinstance(failed, GenerationError)
    assert "NaN" in str(failed)


def test_out_of_memory_in_the_midst_halves_the_rows_and_loses_no_take(
    loaded: Callable[[str], Loaded], recipe: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_decoding, "supports", lambda loaded: False)
    real, tried = batch_decoding.decode, []

    def tight(generator: object, rows: Sequence[Row], slots: int) -> list[torch.Tensor | None]:
        tried.append(slots)
        if slots > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(generator, rows, slots)

    monkeypatch.setattr(batch_decoding, "decode", tight)
    asked = [recipe("music", seed=seed, seconds=0.2) for seed in range(5)]
    takes = _takes(AudioCraftGenerator("cpu"), asked)
    assert len(takes) == 5
    assert {(take.notes["rows"], take.notes["step"]) for take in takes.values()} == {(2, "batches")}
    assert tried == [8, 4, 2, 2, 2]
    assert all(
        _same(takes[one.digest], _takes(AudioCraftGenerator("cpu"), [one])[one.digest]) for one in asked
    )


@pytest.mark.parametrize(("role", "kind"), [("melody", "music-melody"), ("continue_from", "music")])
@pytest.mark.parametrize("length", [0, 50])
def test_a_file_of_less_than_a_frame_fails_its_take_with_the_role(
    role: str, kind: str, length: int, generator: AudioCraftGenerator, recipe: Make
) -> None:
    bad = recipe(kind, "calm", 0.4, prompt_s=1.0, conditioning={role: "nothing"})
    good = recipe(kind, "calm", 0.4)
    nothing = Clip(np.zeros((1, length), np.float32), 32_000)
    outcomes = {one.digest: outcome for one, outcome in generator.generate([bad, good], {"nothing": nothing})}
    assert (
        str(outcomes[bad.digest])
        == f"{role}: the file is shorter than a frame of the codec; use one of at least a second"
    )
    assert not isinstance(outcomes[good.digest], GenerationError)
