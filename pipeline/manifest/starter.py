"""What ``cuesmith init`` writes: a small project that builds at once."""

from __future__ import annotations

from pipeline.manifest.schema import json_schema_text

_CUES = """\
# yaml-language-server: $schema=manifest.schema.json
cuesmith: 1
project: mygame
profiles:
  prototype: {engine: sketch}
defaults:
  music: {loudness: -16 LUFS, formats: [wav, ogg]}
  sfx: {loudness: -18 LUFS, formats: [wav]}
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


def starter_files() -> dict[str, str]:
    """Text by file name; ``cues.yaml`` is the manifest."""
    return {"cues.yaml": _CUES, "manifest.schema.json": json_schema_text(), ".gitignore": _IGNORE}
