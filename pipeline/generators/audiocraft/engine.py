"""The light face of the AudioCraft engine: what an asset would take, answered from tables."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

from pipeline.errors import MachineError
from pipeline.generators.audiocraft import estimates
from pipeline.generators.audiocraft.checkpoints import NOT_INSTALLED, missing
from pipeline.generators.audiocraft.installed_models import AudioCraftModels
from pipeline.generators.audiocraft.requirements import requirements_of
from pipeline.generators.devices import TorchEngine, kind_of, processor_name, torch_devices
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
        """As builds on this machine took, or by arithmetic where there was none yet."""
        name, revision = recipes[0].model, recipes[0].revision
        model, kind = estimates.find_model(name, revision), kind_of(device)
        here = torch_devices()
        named = here.get(device) or here.get(f"{device}:0") or (processor_name() if kind == "cpu" else device)
        known = estimates.find_speed(name, revision, named)
        slots = known.slots if known else estimates.slot_count(model, kind)
        start = estimates.recorded_start(named)
        return Estimate(
            estimates.busy_seconds(model, recipes, kind, slots) * (known.factor if known else 1.0),
            (known.load if known else 0.0) or estimates.load_seconds(model),
            estimates.START_S if start is None else start,
            f"builds on {named}, the last on {known.at} ({known.slots} at once, {known.dtype})"
            if known
            else f"arithmetic, nothing was made on {named} yet",
            learned=True,
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
        is_first, began = "torch" not in sys.modules, time.monotonic()
        generator = importlib.import_module("pipeline.generators.audiocraft.generator")
        opened = generator.AudioCraftGenerator(device)
        if is_first:
            estimates.record_start(opened.device_name, time.monotonic() - began)
        return cast(Generator, opened)


ENGINE = AudioCraftEngine()
