"""Codes that a take keeps become its audio again, with no language model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.errors import GenerationError, MachineError, UsageError
from pipeline.generators.audiocraft.audiocraft_modules import loaders
from pipeline.generators.audiocraft.generator import AudioCraftGenerator
from pipeline.generators.audiocraft.rendering import redecode
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


def test_a_decoder_whose_weights_are_not_here_and_one_that_is_none_are_reported(
    generator: AudioCraftGenerator, recipe: Callable[..., Recipe]
) -> None:
    [(_, take)] = generator.generate([recipe("music", seconds=0.4)], {})
    assert not isinstance(take, GenerationError)
    with pytest.raises(MachineError, match="run: cuesmith models fetch facebook/multiband-diffusion"):
        redecode(take.attachments["codes"], "mbd")
    with pytest.raises(UsageError, match="available: encodec, mbd"):
        redecode(b"", "wavenet")


@pytest.mark.parametrize("data", [b"something else", b"", b"PK\x03\x04 cut short"])
def test_bytes_that_are_no_codes_are_reported(data: bytes) -> None:
    with pytest.raises(GenerationError, match="not a codes file that Cuesmith wrote"):
        redecode(data)
