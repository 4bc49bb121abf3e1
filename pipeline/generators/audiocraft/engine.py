"""The light face of the AudioCraft engine: what an asset would take, answered from tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipeline.generators.audiocraft import estimates
from pipeline.generators.audiocraft.checkpoints import missing_parts, split_weights
from pipeline.generators.audiocraft.installed_models import AudioCraftModels
from pipeline.generators.audiocraft.model_store import STORE, StoredModel
from pipeline.generators.audiocraft.models import Model
from pipeline.generators.audiocraft.requirements import requirements_of
from pipeline.generators.devices import kind_of, torch_devices
from pipeline.generators.protocol import Estimate, Requirements
from pipeline.generators.torch_engine import TorchEngine
from pipeline.manifest.spec import AssetSpec
from pipeline.recipe import Recipe


class AudioCraftEngine(AudioCraftModels, TorchEngine[Model]):
    """MusicGen, AudioGen and MAGNeT through the `audiocraft` package."""

    name = "audiocraft"
    package = "pipeline.generators.audiocraft"
    packages = ("torch", "audiocraft")
    not_installed = (
        "engine audiocraft is not installed (no {}); run: make setup-audiocraft, or see docs/audiocraft.md"
    )
    store = STORE
    version = "1"

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

    def weights_of(self, recipes: Sequence[Recipe]) -> Sequence[tuple[str, str]]:
        """Names and revisions of checkpoints, and of the diffusion models that decode their codes."""
        decoders = {str(recipe.settings.get("decoder_weights") or "") for recipe in recipes}
        return [*super().weights_of(recipes), *map(split_weights, sorted(decoders - {""}))]

    def missing_parts(self, stored: StoredModel) -> Iterable[str]:
        """Text encoders and codecs."""
        return missing_parts(stored)


ENGINE = AudioCraftEngine()
