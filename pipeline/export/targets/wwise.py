"""Wwise: the same import as a tab-delimited file for the Audio File Importer and as a batch for WAAPI, with its runner.

Columns: "Importing Media Files from Tab Delimited Text Files" in Wwise Help. Batch: `ak.wwise.core.audio.import`, Wwise
SDK. A sound with variations is a Random Container with a Sound SFX for each; every sound gets a Play event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.export.folder import Item
from pipeline.export.pack import Pack, PackFile, PackSound
from pipeline.export.scripts import script

CONTAINERS = "\\Containers\\Default Work Unit"
"""Root of sounds from Wwise 2025.1."""
ACTOR_MIXER = "\\Actor-Mixer Hierarchy\\Default Work Unit"
"""Root of sounds before."""
_EVENTS = "\\Events\\Default Work Unit"
TABLE = "wwise_import.txt"
BATCH = "wwise_import.json"
_RUNNER = "import_to_wwise.py"
_COLUMNS = (
    "Audio File",
    "Object Path",
    "Object Type",
    "Notes",
    "Property[IsLoopingEnabled]",
    "Event",
)
_NOT_IN_CELL = re.compile("[\\x00-\\x1f\\x7f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]+")

Object = Mapping[str, str]
"""One row: the columns by name, without empty ones."""


def files(root: str, pack: Pack) -> Mapping[str, Item]:
    """The table, the batch and the runner of a pack; ``root`` is where its objects are made."""
    objects = [row for sound in pack.sounds for row in _objects(root, sound, pack.flat_names[sound.asset])]
    return {
        TABLE: Item.of(_table(objects).encode()),
        BATCH: Item.of(_batch(objects).encode()),
        _RUNNER: Item.of(script(_RUNNER)),
    }


def _objects(root: str, sound: PackSound, event: str) -> Iterator[Object]:
    """The container of a sound with variations, then its sounds."""
    *folders, leaf = sound.name.split("/")
    parent = "".join([root, *(f"\\<Virtual Folder>{folder}" for folder in folders)])
    play = {"Event": f"{_EVENTS}\\Play_{event}@Play"}
    notes = _notes(sound)
    if not sound.is_pool:
        # Named as a variation: the container gets the name if there are more later.
        yield {**_sound(f"{parent}\\<Sound SFX>{sound.files[0].name}", sound.files[0], notes), **play}
        return
    container = f"{parent}\\<Random Container>{leaf}"
    yield {"Object Path": container, "Object Type": "Random Container", "Notes": notes, **play}
    for file in sound.files:
        yield _sound(f"{container}\\<Sound SFX>{file.name}", file, notes)


def _sound(path: str, file: PackFile, notes: str) -> dict[str, str]:
    loops = "True" if file.facts.loop else "False"
    return {
        "Audio File": file.path.replace("/", "\\"),
        "Object Path": path,
        "Object Type": "Sound SFX",
        "Notes": notes,
        "Property[IsLoopingEnabled]": loops,
    }


def _notes(sound: PackSound) -> str:
    """What a sound designer wants to read in the notes, on one line."""
    first = sound.files[0].to_json()
    texts = [first["disclosure"], first["license"], ", ".join(sound.row["tags"])]
    return _NOT_IN_CELL.sub(" ", "; ".join(text for text in texts if text)).strip()


def _table(objects: list[Object]) -> str:
    """UTF-8, one row for each object; the paths of files are relative to the table."""
    lines = [_COLUMNS, *(tuple(row.get(column, "") for column in _COLUMNS) for row in objects)]
    return "".join("\t".join(line) + "\r\n" for line in lines)


def _batch(objects: list[Object]) -> str:
    """The arguments of the call; the runner makes the paths of files absolute."""
    imports: list[dict[str, Any]] = []
    for row in objects:
        item: dict[str, Any] = {"objectPath": row["Object Path"], "notes": row["Notes"]}
        if "Audio File" in row:
            item["audioFile"] = row["Audio File"].replace("\\", "/")
            item["@IsLoopingEnabled"] = row["Property[IsLoopingEnabled]"] == "True"
        if "Event" in row:
            item["event"] = row["Event"]
        imports.append(item)
    value = {"importOperation": "useExisting", "default": {"importLanguage": "SFX"}, "imports": imports}
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
