"""The light face of the AudioCraft engine: what an asset would take, answered from tables."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

from pipeline.errors import MachineError
from pipeline.generators.audiocraft import estimates
from pipeline.generators.audiocraft.checkpoints import NOT_INSTALLED, missing
from pipeline.generators.audiocraft.installed_models import AudioCraftModels
from pipeline.generators.audiocraft.requirements import requirements_of
from pipeline.generators.devices import TorchEngine, kind_of, torch_devices
from pipeline.generators.protocol import Estimate, Generator, Requirements
from pipeline.manifest.spec import AssetSpec
from pipeline.recipe import Recipe

VERSION = "1"


class AudioCraftEngine(TorchEngine, AudioCraftModels):
    """MusicGen, AudioGen and MAGNeT through the `audiocraft` package."""

    name = "audiocraft"
    version = VERSION

    def requirements(self, asset: AssetSpec) -> Requirements:
        """What making ``asset`` would take, from tables and local folders; weights need not be here."""
        return requirements_of(asset)

    def origin(self, recipe: Recipe) -> Recipe:
        """``recipe`` decoded by EnCodec: whatever decodes them, the codes are the same."""
        settings = {key: value for key, value in recipe.settings.items() if key != "decoder_weights"}
        return replace(recipe, settings=settings | {"decoder": "encodec"})

    def cost(self, recipe: Recipe) -> float:
        """Seconds on this machine's kind of device by arithmetic, in slots that are all taken."""
        model = estimates.find_model(recipe.model, recipe.revision)
        return estimates.seconds_per_take(model, recipe, kind_of(next(iter(torch_devices()))))

    def estimate(self, recipes: Sequence[Recipe], device: str) -> Estimate:
        """By arithmetic; the plan corrects it by how long earlier takes took."""
        model, kind = estimates.find_model(recipes[0].model, recipes[0].revision), kind_of(device)
        return Estimate(
            estimates.busy_seconds(model, recipes, kind, estimates.slot_count(model, kind)),
            estimates.load_seconds(model),
            estimates.START_S,
            "arithmetic, no build on this machine yet",
        )

    def group(self, recipe: Recipe) -> str:
        """Takes of one number of rows share a session."""
        return f"{estimates.branch_count(recipe)} rows"

    def missing(self, recipes: Sequence[Recipe]) -> Iterable[str]:
        """Packages and weights that are not on this machine, without loading or hashing any."""
        return missing(recipes)

    def open(self, device: str) -> Generator:
        """Import torch and AudioCraft; models are loaded when recipes ask for them."""
        self.check_device(device)
        if importlib.util.find_spec("torch") is None:
            raise MachineError(NOT_INSTALLED.format("torch"))
        generator = importlib.import_module("pipeline.generators.audiocraft.generator")
        return cast(Generator, generator.AudioCraftGenerator(device))


ENGINE = AudioCraftEngine()
