"""Ours against AudioCraft's own ``generate``, from the same weights: tokens alike, greedy and on the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from tiny_checkpoints import KINDS

from pipeline.audio import Clip
from pipeline.errors import GenerationError
from pipeline.generators.audiocraft import codec
from pipeline.generators.audiocraft.audiocraft_modules import transformer, utils
from pipeline.generators.audiocraft.generator import AudioCraftGenerator
from pipeline.generators.audiocraft.loading import Loaded
from pipeline.generators.audiocraft.sampling import exponential_noise, noise_keys
from pipeline.generators.audiocraft.takes import Take
from pipeline.recipe import Recipe

AUTOREGRESSIVE = [kind for kind in KINDS if "magnet" not in kind]
MAGNETS = [kind for kind in KINDS if "magnet" in kind]
RATE = 32_000
TUNE = Clip(np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE).astype(np.float32)[None] * 0.5, RATE)
OTHER = Clip(np.sin(2 * np.pi * 311 * np.arange(RATE) / RATE).astype(np.float32)[None] * 0.5, RATE)
AUDIO = {"tune": TUNE, "other": OTHER}

Ours = Callable[[Recipe], torch.Tensor]
Make = Callable[..., Recipe]
Load = Callable[[str], Loaded]


@pytest.fixture
def ours(generator: AudioCraftGenerator) -> Ours:
    def codes(recipe: Recipe) -> torch.Tensor:
        [(_, take)] = generator.generate([recipe], AUDIO)
        assert not isinstance(take, GenerationError)
        return codec.unpack(take.attachments["codes"])[0]

    return codes


def _stock(loaded: Loaded, **params: Any) -> Any:
    model = loaded.generator
    transformer.set_efficient_attention_backend("xformers" if loaded.model.family == "magnet" else "torch")
    if loaded.model.family == "magnet":
        model.set_generation_params(**params)
    else:
        model.set_generation_params(**{"extend_stride": 1.2, "top_k": 20, **params})
    return model


@contextmanager
def _same_numbers(seed: int, *, first: int) -> Iterator[None]:
    """AudioCraft's draws made with a row's own numbers: call by call, as its loop comes to them."""
    calls = 0

    def multinomial(probs: torch.Tensor, num_samples: int) -> torch.Tensor:
        nonlocal calls
        key = noise_keys([seed], [0], "cpu")
        race = exponential_noise(key, first + calls, probs.shape[1:])
        calls += 1
        return (probs / race).argmax(-1, keepdim=True)

    with patch.object(utils, "multinomial", multinomial):
        yield


@pytest.mark.parametrize("kind", AUTOREGRESSIVE)
def test_greedy_tokens_equal_audiocrafts_own(kind: str, loaded: Load, recipe: Make, ours: Ours) -> None:
    stock = _stock(loaded(kind), use_sampling=False, duration=0.8)
    _, expected = stock.generate(["heavy drums and brass, battle theme"], return_tokens=True)
    found = ours(recipe(kind, "heavy drums and brass, battle theme", 0.8, temperature=0.0))
    assert torch.equal(found, expected[0])
    assert len(found.unique()) > 4


@pytest.mark.parametrize("kind", AUTOREGRESSIVE)
def test_sampled_tokens_equal_audiocrafts_own_on_the_same_numbers(
    kind: str, loaded: Load, recipe: Make, ours: Ours
) -> None:
    stock = _stock(loaded(kind), duration=0.8)
    with _same_numbers(9, first=1):
        _, expected = stock.generate(["wooden door"], return_tokens=True)
    assert torch.equal(ours(recipe(kind, "wooden door", 0.8, seed=9)), expected[0])


@pytest.mark.parametrize("kind", MAGNETS)
def test_magnets_greedy_tokens_equal_audiocrafts_own(
    kind: str, loaded: Load, recipe: Make, ours: Ours
) -> None:
    stock = _stock(loaded(kind), use_sampling=False)
    _, expected = stock.generate(["battle theme"], return_tokens=True)
    assert torch.equal(ours(recipe(kind, "battle theme", temperature=0.0)), expected[0])


@pytest.mark.parametrize("kind", MAGNETS)
def test_magnets_sampled_tokens_equal_audiocrafts_own_on_the_same_numbers(
    kind: str, loaded: Load, recipe: Make, ours: Ours
) -> None:
    stock = _stock(loaded(kind))
    with _same_numbers(9, first=1):
        _, expected = stock.generate(["battle theme"], return_tokens=True)
    assert torch.equal(ours(recipe(kind, "battle theme", seed=9)), expected[0])


@pytest.mark.parametrize("kind", ["music", "magnet"])
def test_a_top_k_above_the_vocabulary_leaves_every_token(kind: str, recipe: Make, ours: Ours) -> None:
    drawn = {"temperature": 1.0, "top_p": 0.0, "seed": 9}
    assert torch.equal(ours(recipe(kind, top_k=100_000, **drawn)), ours(recipe(kind, top_k=0, **drawn)))


def test_audio_equals_audiocrafts_own_decoding(
    loaded: Load, recipe: Make, generator: AudioCraftGenerator
) -> None:
    stock = _stock(loaded("music-stereo"), use_sampling=False, duration=0.8)
    expected = stock.generate(["calm"])[0].numpy()
    [(_, take)] = generator.generate([recipe("music-stereo", "calm", 0.8, temperature=0.0)], {})
    assert not isinstance(take, GenerationError)
    np.testing.assert_allclose(take.clip.samples, expected[:, : take.clip.length], atol=1e-6)


def test_a_melody_is_heard_as_audiocraft_hears_it(loaded: Load, recipe: Make, ours: Ours) -> None:
    stock = _stock(loaded("music-melody"), duration=0.8)
    with _same_numbers(3, first=1):
        _, expected = stock.generate_with_chroma(
            ["calm"], torch.from_numpy(TUNE.samples)[None], RATE, return_tokens=True
        )
    heard = ours(recipe("music-melody", "calm", 0.8, 3, conditioning={"melody": "tune"}))
    assert torch.equal(heard, expected[0])
    unheard = ours(recipe("music-melody", "calm", 0.8, 3))
    another = ours(recipe("music-melody", "calm", 0.8, 3, conditioning={"melody": "other"}))
    assert not torch.equal(heard, unheard)
    assert not torch.equal(heard, another)


@pytest.mark.parametrize("kind", ["music", "music-stereo", "music-hf-codec"])
def test_continuation_carries_on_as_audiocraft_does(
    kind: str, loaded: Load, recipe: Make, ours: Ours
) -> None:
    stock = _stock(loaded(kind), duration=1.2)
    prompt = torch.from_numpy(TUNE.samples[:, -RATE * 6 // 10 :])[None]
    with _same_numbers(3, first=31):
        _, expected = stock.generate_continuation(prompt, RATE, ["calm"], return_tokens=True)
    made = ours(recipe(kind, "calm", 0.6, 3, prompt_s=0.6, conditioning={"continue_from": "tune"}))
    assert torch.equal(made, expected[0])


def test_the_audio_carried_on_is_not_part_of_the_take(recipe: Make, generator: AudioCraftGenerator) -> None:
    asked = recipe("music", "calm", 0.6, prompt_s=0.6, conditioning={"continue_from": "tune"})
    [(_, take)] = generator.generate([asked], AUDIO)
    assert not isinstance(take, GenerationError)
    assert take.clip.seconds == pytest.approx(0.6)
    assert take.notes["prompt_frames"] == 30


@pytest.mark.parametrize(("kind", "stride"), [("music", 1.2), ("sfx", 0.4), ("music-melody", 1.2)])
def test_beyond_the_window_passes_follow_audiocrafts_own(
    kind: str, stride: float, loaded: Load, recipe: Make, ours: Ours
) -> None:
    stock = _stock(loaded(kind), use_sampling=False, duration=3.0, extend_stride=stride)
    conditioning = {}
    if kind == "music-melody":
        conditioning = {"melody": "tune"}
        _, expected = stock.generate_with_chroma(
            ["calm"], torch.from_numpy(TUNE.samples)[None], RATE, return_tokens=True
        )
    else:
        _, expected = stock.generate(["calm"], return_tokens=True)
    made = ours(recipe(kind, "calm", 3.0, temperature=0.0, stride_s=stride, conditioning=conditioning))
    assert made.shape[1] == 150
    assert torch.equal(made, expected[0])


@pytest.mark.parametrize("length", [RATE, RATE - 100, 12_345])
def test_what_is_carried_on_is_the_whole_frames_at_the_files_end(
    length: int, loaded: Load, recipe: Make
) -> None:
    tune = Clip(TUNE.samples[:, :length], RATE)
    asked = recipe("music", "calm", 0.5, prompt_s=1.0, conditioning={"continue_from": "tune"})
    take = Take(asked, loaded("music"), {"tune": tune}, {})
    frames = length * 50 // RATE
    whole = torch.from_numpy(tune.samples[:, length - frames * RATE // 50 :])
    assert torch.equal(take.codes, codec.encode(loaded("music"), whole))
    assert take.prompt_frames == frames


def test_one_recipes_conditions_are_made_once_for_all_its_variations(loaded: Load, recipe: Make) -> None:
    conditions: dict[Any, Any] = {}
    for seed in range(3):
        Take(recipe("music", seed=seed), loaded("music"), {}, conditions)
    assert len(conditions) == 1
