"""What ``cuesmith init`` writes: a small project that builds at once."""

from __future__ import annotations

import re

from pipeline.manifest.names import check_project
from pipeline.manifest.problems import Fault
from pipeline.manifest.schema import json_schema_text
from pipeline.manifest.structure import EngineKeysSource

_USUAL = "mygame"
_CUES = """\
# yaml-language-server: $schema=manifest.schema.json
cuesmith: 1
project: PROJECT
profiles:
  prototype: {engine: sketch}
defaults:
  music: {loudness: -16 LUFS, formats: [wav, ogg]}
  sfx: {loudness: -25 LUFS, formats: [wav]}
assets:
  - id: music/menu
    kind: music
    prompt: calm hopeful menu theme, soft piano and warm strings
    duration: 16s
    bpm: 90
    loop: true
    tags: [menu]
  - id: sfx/footstep/{surface}
    kind: sfx
    for_each: {surface: [grass, stone, wood]}
    prompt: a single footstep on {surface}, close and dry
    duration: 0.5s
    variations: 4
  - id: sfx/door/open
    kind: sfx
    prompt: a heavy wooden door creaks open
    duration: 2s
    variations: 2
  - id: ui/confirm
    kind: sfx
    prompt: a bright, short UI confirm sound
    duration: 0.4s
"""

_IGNORE = "/outputs/\n"


def starter_files(folder: str, engine_keys: EngineKeysSource) -> dict[str, str]:
    """Text by file name; ``cues.yaml`` is the manifest, of a project named like its ``folder`` as far as that goes."""
    cues = _CUES.replace("PROJECT", _project(folder))
    return {"cues.yaml": cues, "manifest.schema.json": json_schema_text(engine_keys), ".gitignore": _IGNORE}


def _project(folder: str) -> str:
    """A project's name.

    >>> _project("emberfall"), _project("My Game! 2"), _project("音"), _project("con")
    ('emberfall', 'My_Game_2', 'mygame', 'mygame')
    """
    name = re.sub("[^A-Za-z0-9.-]+", "_", folder).strip("_.-")
    try:
        check_project(name)
    except Fault:
        return _USUAL
    # YAML reads this word as nothing.
    return _USUAL if name.casefold() == "null" else name
