"""The sketch engine as planning sees it: settings and costs from tables, without numpy."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import cast

from pipeline.cpus import usable_cpus
from pipeline.errors import MachineError
from pipeline.generators.protocol import Generator, ModelInfo, Requirements
from pipeline.manifest.spec import AssetSpec
from pipeline.recipe import Recipe, Scalar

VERSION = "2"
"""Rises when the same recipe would give other samples."""
SAMPLE_RATE_HZ = 48_000

_REAL_TIME = {"music": 50.0, "sfx": 70.0}
"""Estimated seconds of audio a second on one core, by kind."""
_OVERHEAD_S = 0.01
CALM = "calm"
"""Where the loop of an effect starts: where least happens, so that its seam does not fall on an attack."""
_SATISFIED = frozenset({"extend"})
"""Keys of other engines that ask for nothing that this one lacks: a sketch has any length."""


class SketchEngine:
    """Reads the prompt and synthesises what it names. Needs nothing but numpy and scipy."""

    name = "sketch"
    version = VERSION
    device_kinds = ("cpu",)

    def requirements(self, asset: AssetSpec) -> Requirements:
        """What making ``asset`` would take. Anything can be sketched, so there are never problems."""
        return Requirements(
            model=ModelInfo(
                id="sketch",
                revision=VERSION,
                license="CC0-1.0",
                commercial=True,
                sample_rate_hz=SAMPLE_RATE_HZ,
                # Music and looped sound (ambience) surround the player; one-shots are placed by the game, so mono.
                channels=2 if asset.kind == "music" or asset.loop else 1,
                neural=False,
                placeholder=True,
            ),
            seconds=asset.duration_s,
            settings=_settings(asset),
            ignored=_ignored(asset),
        )

    def devices(self) -> Sequence[str]:
        """One worker a core."""
        return ("cpu",) * usable_cpus()

    def cost(self, recipe: Recipe) -> float:
        """Estimated seconds on one core."""
        return _OVERHEAD_S + recipe.seconds / _REAL_TIME.get(recipe.kind, _REAL_TIME["sfx"])

    def open(self, device: str) -> Generator:
        """Load the synthesiser. Raises `MachineError` for a device other than the CPU."""
        if device.split(":", maxsplit=1)[0] != "cpu":
            raise MachineError(f"engine 'sketch' has no device {device!r}; use cpu")
        module = importlib.import_module("pipeline.generators.sketch.synthesizer")
        return cast(Generator, module.SketchGenerator())


def _settings(asset: AssetSpec) -> dict[str, Scalar]:
    """Only what changes the audio: any other setting would make existing takes stale."""
    settings: dict[str, Scalar] = {"loop": asset.loop}
    if asset.kind == "music" and asset.bpm is not None:
        settings["bpm"] = asset.bpm
    if asset.kind == "sfx" and asset.loop:
        settings["start"] = CALM
    return settings


def _ignored(asset: AssetSpec) -> tuple[str, ...]:
    """Keys of the asset that this engine ignores."""
    unused = {
        **{key: key not in _SATISFIED for key in asset.engine_keys},
        "model": asset.model is not None,
        "bpm": asset.kind == "sfx" and asset.bpm is not None,
    }
    return tuple(key for key, present in unused.items() if present)


ENGINE = SketchEngine()
