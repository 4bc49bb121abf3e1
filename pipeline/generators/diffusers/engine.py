"""The light face of the diffusers engine: requirements, estimates and models from tables, without torch."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.generators.devices import kind_of, torch_devices
from pipeline.generators.diffusers.model_store import STORE
from pipeline.generators.diffusers.models import (
    BY_ID,
    DEFAULTS,
    FAMILIES,
    LICENSES,
    PUBLISHED,
    Model,
)
from pipeline.generators.diffusers.requirements import requirements_of
from pipeline.generators.model_store import StoredModel
from pipeline.generators.protocol import (
    Diagnostic,
    Estimate,
    ModelList,
    Requirements,
)
from pipeline.generators.torch_engine import TorchEngine
from pipeline.manifest.spec import AssetSpec
from pipeline.recipe import Recipe

_OPERATIONS_A_SECOND = {"cuda": 5e13, "mps": 1.5e12, "cpu": 2e11}
"""What a transformer of billions of weights achieves; on CUDA by the published times of Stable Audio 3."""
_DECODING = {"cuda": 0.002, "mps": 0.02, "cpu": 0.05}
"""Seconds of the autoencoder for a second of audio."""
_OVERHEAD_S = 0.2
"""Of a take: text, Python."""
_START_S = 10.0
_LOAD_BYTES_A_SECOND = 5e8


class DiffusersEngine(TorchEngine[Model]):
    """Stable Audio Open, Stable Audio 3 and ACE-Step 1.5 through the `diffusers` package."""

    name = "diffusers"
    package = "pipeline.generators.diffusers"
    packages = ("torch", "diffusers", "transformers", "safetensors", "torchsde")
    not_installed = "engine diffusers is not installed (no {}); see docs/diffusers.md"
    store = STORE
    version = "1"

    def requirements(self, asset: AssetSpec) -> Requirements:
        """See `Engine.requirements`: from tables and local folders; weights need not be installed."""
        return requirements_of(asset)

    def cost(self, recipe: Recipe) -> float:
        """Seconds on this machine's usual device by arithmetic."""
        return _seconds(recipe, next(iter(torch_devices())))

    def estimate(self, recipes: Sequence[Recipe], device: str) -> Estimate:
        """By arithmetic; the plan corrects it by how long earlier takes took."""
        model = _model_of(recipes[0])
        return Estimate(
            sum(_seconds(recipe, device) for recipe in recipes),
            4e9 * model.parameters / _LOAD_BYTES_A_SECOND,
            _START_S,
            "arithmetic on the model's weights and steps",
        )

    def list_models(self) -> ModelList:
        """See `ModelStore.list_models`."""
        stored, faults = STORE.all_stored()
        here = {model.id: model for model in stored}
        rows = [_row(model, here.get(model.id)) for model in PUBLISHED]
        rows += [_row(one.model, one) for one in stored if one.model and one.id not in BY_ID]
        return ModelList([_line(row) for row in rows], {"models": rows}, [str(fault) for fault in faults])

    def diagnostics(self) -> Iterable[Diagnostic]:
        """See `Diagnostics.diagnostics`."""
        absent = self.absent_packages()
        if absent:
            fix = "to use Stable Audio and ACE-Step: pip install 'cuesmith[diffusers]'"
            return [Diagnostic("diffusers", f"not installed (no {absent[0]})", fix)]
        return [Diagnostic("diffusers", importlib.import_module("diffusers").__version__)]


def _model_of(recipe: Recipe) -> Model:
    stored = None if recipe.model in BY_ID else STORE.find(recipe.model, recipe.revision)
    known = BY_ID.get(recipe.model) or (stored.model if stored else None)
    return known or BY_ID[DEFAULTS["music"]]


def _seconds(recipe: Recipe, device: str) -> float:
    """Seconds of one take: each step multiplies every latent by every weight, twice under guidance."""
    model = _model_of(recipe)
    rows = 2 if "guidance" in recipe.settings else 1
    spans = model.longest_s if model.family == "stable-audio-open" else recipe.seconds
    passes = 1 + ("seam_s" in recipe.settings)
    latents = spans * FAMILIES[model.family].latents_a_second * passes
    operations = 2e9 * model.parameters * latents * rows * float(recipe.settings.get("steps") or model.steps)
    kind = kind_of(device)
    return _OVERHEAD_S + operations / _OPERATIONS_A_SECOND[kind] + recipe.seconds * _DECODING[kind]


def _row(model: Model, stored: StoredModel[Model] | None) -> dict[str, Any]:
    license = LICENSES[model.license]
    return {
        "id": model.id,
        "kinds": sorted(model.kinds),
        "family": model.family,
        "sample_rate_hz": model.sample_rate_hz,
        "channels": model.channels,
        "shortest_s": model.shortest_s,
        "longest_s": model.longest_s,
        "steps": model.steps,
        "guidance": model.guidance,
        "abilities": sorted(model.abilities),
        "license": model.license,
        "commercial": license.commercial,
        "terms": license.terms.to_json() if license.terms else None,
        "revision": stored.revision if stored else STORE.commit_of(model.id),
        "here": stored is not None,
        "bytes": stored.size if stored else None,
    }


def _line(row: dict[str, Any]) -> str:
    state = f"installed, {row['bytes'] / 1e9:.2f} GB" if row["here"] else "not installed"
    revision = (row["revision"] or "pinned when fetched")[:19]
    return (
        f"{row['id']:<44} {'+'.join(row['kinds']):<9} {row['longest_s']:>5g} s  "
        f"{row['sample_rate_hz'] / 1000:g} kHz  {row['license']}  {revision:<19}  {state}  "
        f"({', '.join(['text', *row['abilities']])})"
    )


ENGINE = DiffusersEngine()
