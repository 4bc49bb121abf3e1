"""Checks before a build starts: what it needs and this machine does not have. Does not import Prefect."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from pipeline.build.devices import devices_for
from pipeline.build.prepare import Prepared
from pipeline.credentials import signing_problems
from pipeline.errors import MachineError
from pipeline.formats import FORMATS
from pipeline.generators import Preflight, find_engine
from pipeline.recipe import Recipe
from pipeline.scores import find_score
from pipeline.watermarks import find_watermark

_M4A = "m4a needs {}, which is not installed; install the extra with: pip install 'cuesmith[m4a]'"


def unmet_requirements(prepared: Prepared, devices: Sequence[str] | None = None) -> list[str]:
    """Return what a build of ``prepared`` on ``devices`` needs and this machine does not have, each with its fix."""
    if not prepared.plan.stale:
        return []
    unmet = [
        *_engines(prepared, devices),
        *_encoders(prepared),
        *_models(prepared),
        *signing_problems(prepared.policies, prepared.project.file),
    ]
    return list(dict.fromkeys(unmet))


def require(prepared: Prepared, devices: Sequence[str] | None) -> None:
    """Raise `MachineError` with everything that `unmet_requirements` returns."""
    if unmet := unmet_requirements(prepared, devices):
        raise MachineError("\n".join(unmet))


def _engines(prepared: Prepared, devices: Sequence[str] | None) -> Iterator[str]:
    """Yield missing devices, and what the engines need to generate the takes and do not have."""
    recipes: dict[str, list[Recipe]] = {}
    for order in prepared.plan.orders():
        to_generate = recipes.setdefault(order.recipe.engine, [])
        if order.stored_take is None:
            to_generate.append(order.recipe)
    for name, to_generate in sorted(recipes.items()):
        engine = find_engine(name)
        try:
            devices_for(engine, devices)
        except MachineError as error:
            yield str(error)
        if to_generate and isinstance(engine, Preflight):
            yield from engine.missing(to_generate)


def _models(prepared: Prepared) -> Iterator[str]:
    """Yield what scores and watermarks need and do not have."""
    assets = [stale.asset for stale in prepared.plan.stale]
    for name in sorted({score.name for asset in assets for score in asset.scores}):
        yield from find_score(name).missing()
    for name in sorted({asset.watermark for asset in assets if asset.watermark}):
        yield from find_watermark(name).missing()


def _encoders(prepared: Prepared) -> Iterator[str]:
    formats = {name for stale in prepared.plan.stale for name in stale.asset.delivery.formats}
    if not any(FORMATS[name].needs_ffmpeg for name in formats):
        return
    if find_spec("pydub") is None:
        yield _M4A.format("pydub")
    if find_spec("imageio_ffmpeg") is None and shutil.which("ffmpeg") is None:
        yield _M4A.format("ffmpeg")
