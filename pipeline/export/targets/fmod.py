"""FMOD Studio: a script that imports the files and makes an event for each sound.

It uses the documented scripting API of FMOD Studio 2.02 and 2.03 (`studio.project`, `Workspace.addEvent`,
`Event.addGroupTrack`, `GroupTrack.addSound`, `MarkerTrack.addRegion`). The sounds stand in the script itself, because
reading files from a script differs between releases.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipeline.export.folder import Item
from pipeline.export.pack import Pack, PackSound
from pipeline.export.scripts import script

SCRIPT = "import_to_fmod.js"
_PLACE = "/* SOUNDS */ []"


def files(pack: Pack) -> Mapping[str, Item]:
    """The script of a pack."""
    sounds = ",\n".join(json.dumps(_sound(sound)) for sound in pack.sounds)
    text = script(SCRIPT).decode().replace(_PLACE, f"[\n{sounds}\n]")
    return {SCRIPT: Item.of(text.encode())}


def _sound(sound: PackSound) -> dict[str, Any]:
    facts = sound.files[0].facts
    loop = None
    if facts.loop:
        start, end = (place / facts.sample_rate_hz for place in facts.loop)
        loop = {"start": start, "length": end - start}
    return {
        "event": sound.name,
        "kind": sound.row["kind"],
        "seconds": max(file.seconds for file in sound.files),
        "loop": loop,
        "tempo": sound.row["bpm"],
        "files": [file.path for file in sound.files],
    }
