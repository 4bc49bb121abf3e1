"""Names of delivered files."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.provenance import ObjectJson


def file_name(asset: str, variation: int, suffix: str, naming: str | None = None) -> str:
    """Path of a rendition in the library: the name, the variation in two digits or more, the suffix.

    ``naming`` is what the manifest makes of its template for the asset; without one the asset's id is the name.

    >>> file_name("sfx/footstep/gravel", 3, ".wav")
    'sfx/footstep/gravel_03.wav'
    >>> file_name("sfx/step", 3, ".wav", "sfx/FOOTHmn_Step_Cuesmith_game_{variation}")
    'sfx/FOOTHmn_Step_Cuesmith_game_03.wav'
    """
    number = f"{variation:02d}"
    return (f"{asset}_{number}" if naming is None else naming.replace("{variation}", number)) + suffix


def name_of_files(files: Mapping[str, ObjectJson]) -> str:
    """What the paths of one master's files have in common: the name without any suffix."""
    return min((path.removesuffix(item["suffix"]) for path, item in files.items()), key=len, default="")


def renamed(files: Mapping[str, ObjectJson], name: str) -> dict[str, ObjectJson]:
    """The same objects under another ``name`` (without suffix); a sidecar goes with its sound."""
    before = name_of_files(files)
    return {name + path[len(before) :]: item for path, item in files.items()}
