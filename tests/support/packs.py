"""Packs exported from toy projects, and what is in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from quick import QuickProject
from toys import WITH_MUSIC

from manifests import engine_keys
from pipeline.export.encoding import profile_files
from pipeline.export.run import Encoding, ExportResult, export_version, find_target
from pipeline.manifest.loader import export_profiles

LOOPED = """\
  - {id: music/round, kind: music, prompt: round, duration: 1.5s, loop: true, tags: [calm, "épée ⚔"]}
  - {id: music/forest/theme, kind: music, prompt: an intro, duration: 3s, loop: {intro: 1s}, channels: 2}
  - {id: music/beat, kind: music, prompt: a beat, duration: 2s, loop: true, bpm: 120}
  - {id: music/short, kind: music, prompt: short, duration: 1.1s, loop: true, sample_rate: 22050, bit_depth: 16}
  - {id: sfx/door, kind: sfx, prompt: a door, duration: 0.5s, variations: 3}
  - {id: sfx/step, kind: sfx, prompt: a step, duration: 0.3s}
"""

PROFILES = """\
exports:
  mobile:
    format: ogg
    bit_rate: 80 kbps
    true_peak: -2 dBTP
    sfx: {format: wav, channels: 1, sample_rate: 22.05 kHz, bit_depth: 16}
    size: 2 MB
  same: {format: wav}
  tiny: {format: wav, size: 10 kB}
  stream: {format: opus}
  low: {format: mp3, bit_rate: 16 kbps}
assets:
"""
WITH_PROFILES = WITH_MUSIC.replace("assets:\n", PROFILES)


def build_looped(folder: Path, head: str = WITH_PROFILES) -> QuickProject:
    """A built project with loops, an intro, a tempo and variations."""
    project = QuickProject(folder)
    project.write(LOOPED, head)
    project.build()
    return project


def export(
    project: QuickProject, target: str, folder: Path, profile: str | None = None, channel: str = "latest"
) -> ExportResult:
    """Export as the command does."""
    encoding = None
    if profile:
        encoding = Encoding(export_profiles(project.manifest, engine_keys)[profile], profile_files)
    version = project.latest if channel == "latest" else project.catalog.read(int(channel))
    return export_version(project.catalog, version, find_target(target), folder, encoding)


def read_pack(folder: Path) -> dict[str, Any]:
    pack: dict[str, Any] = json.loads((folder / "pack.json").read_text(encoding="utf-8"))
    return pack


def files_of(pack: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every file of the pack, by path."""
    return {file["path"]: file for sound in pack["sounds"] for file in sound["files"]}


def tree(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below ``folder``, by path, without the ledger."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".cuesmith-export.json"
    }
