"""What making takes needs of this machine and what of it is not here: packages, weights. Light: no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from pipeline.errors import MachineError
from pipeline.generators.audiocraft import model_store
from pipeline.generators.audiocraft.models import HELPERS, MERT
from pipeline.generators.audiocraft.multiband_choice import named
from pipeline.recipe import Recipe

NOT_INSTALLED = (
    "engine audiocraft is not installed (no {}); run: make setup-audiocraft, or see docs/audiocraft.md"
)


def missing(recipes: Sequence[Recipe]) -> Iterator[str]:
    """What ``recipes`` need and this machine lacks, each with its remedy."""
    for package in ("torch", "audiocraft"):
        if find_spec(package) is None:
            yield NOT_INSTALLED.format(package)
            break
    for model, revision in sorted({(recipe.model, recipe.revision) for recipe in recipes}):
        try:
            yield from _missing_parts(model_store.require(model, revision))
        except MachineError as error:
            yield str(error)
    decoders = {str(recipe.settings.get("decoder_weights") or "") for recipe in recipes}
    for weights in sorted(decoders - {""}):
        try:
            model_store.require(*named(weights))
        except MachineError as error:
            yield str(error)


def _missing_parts(stored: model_store.Stored) -> Iterator[str]:
    """The models that a stored one leans on, where they are neither beside it nor in the model store."""
    for name in _parts(stored):
        if (stored.folder / name.rpartition("/")[2]).is_dir():
            continue
        if (
            model_store.find(name, HELPERS.get(name, (name, None))[1] or model_store.pinned(name) or "")
            is None
        ):
            yield f"{stored.name} needs {name}, which is not on this machine; run: cuesmith models fetch {name}"


def _parts(stored: model_store.Stored) -> Iterator[str]:
    model = stored.model
    if model is None:
        return
    if model.text_encoder:
        yield model.text_encoder
    if "style" in model.hears:
        yield MERT
    try:
        codec = model_store.read_json(stored.folder / "codec.json")
    except (OSError, ValueError):
        return  # loading the model says what is wrong with it
    if isinstance(codec, dict) and isinstance(codec.get("pretrained"), str):
        yield codec["pretrained"]
