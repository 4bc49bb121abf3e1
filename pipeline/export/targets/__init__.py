"""The targets of `cuesmith export`, one row each: the formats that it imports and the files that it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pipeline.export.folder import Item
from pipeline.export.pack import Pack
from pipeline.export.targets import fmod, godot, unity, unreal, wwise


@dataclass(frozen=True, slots=True)
class Target:
    """A game engine or an audio middleware."""

    name: str
    text: str
    """One line for people."""
    formats: tuple[str, ...]
    """Delivery formats that it imports, the one to prefer first."""
    files: Callable[[Pack], Mapping[str, Item]]
    """The generated files of a pack, by path."""
    variations_are_objects: bool = False
    """Whether a sound and its variations are objects of one folder, so that their names must differ."""


TARGETS = {
    row.name: row
    for row in (
        Target("godot", "Godot 4", ("wav", "ogg", "mp3"), partial(godot.files, godot.GODOT_4)),
        Target("godot3", "Godot 3", ("wav", "ogg"), partial(godot.files, godot.GODOT_3)),
        Target("unity", "Unity", ("wav", "ogg", "mp3"), unity.files),
        Target("unreal", "Unreal Engine 5", ("wav", "flac", "ogg"), unreal.files, True),
        Target("wwise", "Wwise 2025.1 and later", ("wav",), partial(wwise.files, wwise.CONTAINERS), True),
        Target("wwise2024", "Wwise before 2025.1", ("wav",), partial(wwise.files, wwise.ACTOR_MIXER), True),
        Target("fmod", "FMOD Studio", ("wav", "flac", "ogg", "mp3"), fmod.files),
    )
}
"""By name."""
