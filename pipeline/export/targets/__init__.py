"""The targets of `cuesmith export`, one row each. `pipeline.formats` has the formats that they import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pipeline.export.folder import Item
from pipeline.export.pack import Pack
from pipeline.export.targets import fmod, godot, unity, unreal, wwise
from pipeline.formats import TARGET_FORMATS


@dataclass(frozen=True, slots=True)
class Target:
    """A game engine or an audio middleware."""

    name: str
    text: str
    """One line for people."""
    files: Callable[[Pack], Mapping[str, Item]]
    """The generated files of a pack, by path."""
    variations_are_objects: bool = False
    """Whether a sound and its variations are objects of one folder, so that their names must differ."""

    @property
    def formats(self) -> tuple[str, ...]:
        """Delivery formats that it imports, the one to prefer first."""
        return TARGET_FORMATS[self.name]


TARGETS = {
    row.name: row
    for row in (
        Target("godot", "Godot 4", partial(godot.files, godot.GODOT_4)),
        Target("godot3", "Godot 3", partial(godot.files, godot.GODOT_3)),
        Target("unity", "Unity", unity.files),
        Target("unreal", "Unreal Engine 5", unreal.files, True),
        Target("wwise", "Wwise 2025.1 and later", partial(wwise.files, wwise.CONTAINERS), True),
        Target("wwise2024", "Wwise before 2025.1", partial(wwise.files, wwise.ACTOR_MIXER), True),
        Target("fmod", "FMOD Studio", fmod.files),
    )
}
"""By name."""
