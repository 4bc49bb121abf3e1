"""Checks before a build starts: what this machine lacks for it. Does not import Prefect."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from pipeline.build.devices import devices_for
from pipeline.build.prepare import Prepared
from pipeline.credentials import CERTIFICATE_VARIABLE, KEY_VARIABLE, available, configured
from pipeline.credentials.identity import REMEDY
from pipeline.errors import MachineError
from pipeline.generators import Preflight, find_engine
from pipeline.recipe import Recipe

_M4A = "m4a needs {}, which is not installed; install the extra with: pip install 'cuesmith[m4a]'"


def missing(prepared: Prepared, devices: Sequence[str] | None = None) -> list[str]:
    """Return what this machine lacks to build ``prepared`` on ``devices``, each with its fix; empty if nothing."""
    if not prepared.plan.stale:
        return []
    lacks = [*_engines(prepared, devices), *_encoders(prepared), *credentials(prepared)]
    return list(dict.fromkeys(lacks))


def require(prepared: Prepared, devices: Sequence[str] | None) -> None:
    """Raise `MachineError` with everything that `missing` returns."""
    lacks = missing(prepared, devices)
    if lacks:
        raise MachineError("\n".join(lacks))


def _engines(prepared: Prepared, devices: Sequence[str] | None) -> Iterator[str]:
    """Yield missing devices, and what the engines lack to generate the takes."""
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


def _encoders(prepared: Prepared) -> Iterator[str]:
    if not any("m4a" in one.asset.delivery.formats for one in prepared.plan.stale):
        return
    if find_spec("pydub") is None:
        yield _M4A.format("pydub")
    if find_spec("imageio_ffmpeg") is None and shutil.which("ffmpeg") is None:
        yield _M4A.format("ffmpeg")


def credentials(prepared: Prepared) -> Iterator[str]:
    """Yield why Cuesmith cannot sign masters that require credentials."""
    required = next((asset for asset, policy in prepared.policies.items() if policy == "required"), None)
    if required is None:
        return
    place = f"{prepared.project.file}: {required} has credentials: required"
    if not available():
        yield f"{place}, and the package c2pa-python is not installed; {REMEDY}"
    try:
        identity = configured()
    except MachineError as error:
        yield str(error)
        return
    if identity is None:
        yield (
            f"{place}, and no certificate is configured; set {CERTIFICATE_VARIABLE} and {KEY_VARIABLE} to PEM files, "
            "or write credentials: development"
        )
