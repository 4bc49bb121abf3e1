"""Codes that a take keeps become its audio again, with no language model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.errors import GenerationError, MachineError, UsageError
from pipeline.generators.audiocraft.generator import AudioCraftGenerator
from pipeline.generators.audiocraft.library import loaders
from pipeline.generators.audiocraft.redecoding import redecode
from pipeline.recipe import Recipe


@pytest.mark.parametrize("kind", ["music", "music-stereo", "music-hf-codec", "sfx", "magnet"])
def test_a_takes_codes_give_its_audio_without_the_language_model(
    kind: str, generator: AudioCraftGenerator, recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    [(_, take)] = generator.generate([recipe(kind, seconds=0.4)], {})
    assert not isinstance(take, GenerationError)
    monkeypatch.setattr(loaders, "load_lm_model", None)
    monkeypatch.setattr(loaders, "load_lm_model_magnet", None)
    clip = redecode(take.attachments["codes"])
    assert clip.rate == take.clip.rate
    np.testing.assert_array_equal(clip.samples[:, : take.clip.length], take.clip.samples)


def test_a_decoder_that_cannot_run_says_what_it_lacks() -> None:
    with pytest.raises(
        MachineError, match="decoder mbd cannot run here: the weights of facebook/multiband-diffusion"
    ):
        redecode(b"", "mbd")
    with pytest.raises(UsageError, match="there are: encodec, mbd"):
        redecode(b"", "wavenet")


def test_bytes_that_are_no_codes_are_told() -> None:
    with pytest.raises(GenerationError, match="no codes that Cuesmith wrote"):
        redecode(b"something else")
