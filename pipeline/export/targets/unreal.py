"""Unreal Engine 5: a Python script for the editor, and a table of the sounds (CSV for a DataTable).

The script imports each file as a SoundWave and makes a SoundCue with a random node of each sound with variations.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from pipeline.export.folder import Item
from pipeline.export.pack import Pack, PackSound
from pipeline.export.scripts import script

_SCRIPT = "import_to_unreal.py"
TABLE = "sounds.csv"
_COLUMNS = (
    "Name",
    "SoundId",
    "Sound",
    "Kind",
    "Loop",
    "Tempo",
    "Variations",
    "LoudnessLUFS",
    "License",
    "Generated",
)


def files(pack: Pack) -> Mapping[str, Item]:
    """The script and the table of a pack."""
    return {_SCRIPT: Item.of(script(_SCRIPT)), TABLE: Item.of(_table(pack).encode())}


def _table(pack: Pack) -> str:
    """One row for each sound. ``Sound`` is its object below the folder that the script imports into."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(_COLUMNS)
    writer.writerows(_row(sound, pack.flat_names[sound.asset]) for sound in pack.sounds)
    return text.getvalue()


def _row(sound: PackSound, name: str) -> tuple[object, ...]:
    row, first = sound.row, sound.files[0]
    folder = sound.name.rpartition("/")[0]
    leaf = sound.name.rpartition("/")[2] if sound.is_pool else first.name
    loudness = first.facts.loudness_lufs
    return (
        name,
        sound.asset,
        f"{folder}/{leaf}" if folder else leaf,
        row["kind"],
        "true" if sound.loops else "false",
        f"{row['bpm'] or 0:g}",
        len(sound.files),
        "" if loudness is None else f"{loudness:.2f}",
        row["license"],
        "true" if row["neural"] else "false",
    )
