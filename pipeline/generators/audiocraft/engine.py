"""The light face of the AudioCraft engine: what an asset would take, answered from tables."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import cast

from pipeline.errors import MachineError
from pipeline.generators.audiocraft.asking import ask
from pipeline.generators.audiocraft.models import BY_ID
from pipeline.generators.protocol import Ask, Generator
from pipeline.manifest.spec import AssetSpec
from pipeline.recipe import Recipe

VERSION = "1"

_SECONDS = {"cpu": 0.5, "mps": 0.5, "cuda": 0.002}
"""Time that a second of musicgen-small's audio takes in full slots: on a CPU as measured, on CUDA twice the roofline
of an H200 (docs/decoder.md), on MPS unknown."""
_SMALL = 1024 * 1024 * 24
_MAGNET = 0.2
"""Passes of a MAGNeT against those of a model that makes one frame a step."""


class AudioCraftEngine:
    """MusicGen, AudioGen and MAGNeT through the `audiocraft` package."""

    name = "audiocraft"
    version = VERSION
    device_kinds = ("cuda", "mps", "cpu")

    def ask(self, asset: AssetSpec) -> Ask:
        """What making ``asset`` would take, from tables and local folders; weights need not be here."""
        return ask(asset)

    def devices(self) -> Sequence[str]:
        """Every CUDA device; else MPS; else the CPU, once, since torch uses all its cores."""
        return _devices()

    def origin(self, recipe: Recipe) -> Recipe:
        """``recipe`` decoded by EnCodec: whatever decodes them, the codes are the same."""
        settings = {key: value for key, value in recipe.settings.items() if key != "decoder_weights"}
        return replace(recipe, settings=settings | {"decoder": "encodec"})

    def cost(self, recipe: Recipe) -> float:
        """Seconds on this machine's device: audio by the model's weights, in slots that are all taken."""
        model = BY_ID.get(recipe.model)
        weights = model.dim**2 * model.layers / _SMALL if model else 0.05
        kind = self.devices()[0].partition(":")[0]
        share = _MAGNET if model and model.family == "magnet" else 1.0
        return recipe.seconds * _SECONDS[kind] * weights * share

    def open(self, device: str) -> Generator:
        """Import torch and AudioCraft; models are loaded when recipes ask for them."""
        if importlib.util.find_spec("torch") is None:
            raise MachineError(
                "engine audiocraft is not installed (no torch); run: make setup-audiocraft, or see docs/audiocraft.md"
            )
        generator = importlib.import_module("pipeline.generators.audiocraft.generator")
        return cast(Generator, generator.AudioCraftGenerator(device))


@cache
def _devices() -> tuple[str, ...]:
    """Asked of torch in a process of its own, so that planning a build imports none."""
    if shutil.which("nvidia-smi") is None and sys.platform != "darwin":
        return ("cpu",)
    code = "import torch;print(torch.cuda.device_count(), int(torch.backends.mps.is_available()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    words = done.stdout.split()
    if done.returncode or len(words) != 2:
        return ("cpu",)
    if int(words[0]):
        return tuple(f"cuda:{index}" for index in range(int(words[0])))
    return ("mps",) if int(words[1]) else ("cpu",)


ENGINE = AudioCraftEngine()
