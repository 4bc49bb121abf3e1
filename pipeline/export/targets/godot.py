"""Godot: import settings beside each sound, and a pool of streams for each sound with variations.

The settings are those of `ResourceImporterWAV` and `ResourceImporterOggVorbis` of the engine. The editor adds the rest
to ``NAME.wav.import`` when it imports the file; afterwards an export replaces only the values below.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.export.folder import Item
from pipeline.export.pack import Pack, PackFile, PackSound
from pipeline.export.scripts import script

_BEATS_A_BAR = 4
_NEAR_BEATS = 0.01
"""A file that is this near to whole beats has a beat count."""
_POOL_SCRIPT = "cuesmith_pool.gd"

Params = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Importer:
    """How a release of Godot imports one format."""

    name: str
    type: str
    params: Callable[[PackFile], Params]


@dataclass(frozen=True, slots=True)
class Release:
    """What differs between the releases of Godot."""

    importers: Mapping[str, Importer]
    pool: Callable[[PackSound], str]
    with_uids: bool
    scripts: Mapping[str, bytes]


def files(release: Release, pack: Pack) -> Mapping[str, Item]:
    """The import settings and the pools of a pack."""
    made = {f"{file.path}.import": Item.of(_settings(release, file).encode(), merged) for file in pack.files}
    pools = [sound for sound in pack.sounds if sound.is_pool]
    made |= {f"{sound.name}.tres": Item.of(release.pool(sound).encode()) for sound in pools}
    return made | ({name: Item.of(data) for name, data in release.scripts.items()} if pools else {})


def _settings(release: Release, file: PackFile) -> str:
    importer = release.importers[file.chosen.format]
    remap = [f'importer="{importer.name}"', f'type="{importer.type}"']
    if release.with_uids:
        remap.append(f'uid="{uid(file.id)}"')
    params = (f"{name}={value}" for name, value in importer.params(file).items())
    return "\n".join(["[remap]", "", *remap, "", "[params]", "", *params, ""])


_LINE = re.compile(r"^([A-Za-z0-9_/]+)=(.*)$")


def merged(present: str, ours: str) -> str:
    """The import settings ``present``, with the parameters of ``ours``; everything else stays, such as the UID.

    >>> print(merged('[remap]\\nuid="uid://a"\\n[params]\\nloop=false\\nbpm=0\\n', '[params]\\nloop=true\\n'), end="")
    [remap]
    uid="uid://a"
    [params]
    loop=true
    bpm=0
    """
    values = {
        found[1]: found[2]
        for line in ours.partition("[params]")[2].splitlines()
        if (found := _LINE.match(line))
    }
    lines, section = [], ""
    for line in present.splitlines():
        section = line if line.startswith("[") else section
        found = _LINE.match(line)
        if section == "[params]" and found and found[1] in values:
            line = f"{found[1]}={values.pop(found[1])}"  # noqa: PLW2901
        lines.append(line)
    if values and "[params]" not in lines:
        lines.append("[params]")
    return "\n".join([*lines, *(f"{name}={value}" for name, value in values.items()), ""])


_WAV = {
    "force/8_bit": "false",
    "force/mono": "false",
    "force/max_rate": "false",
    "edit/trim": "false",
    "edit/normalize": "false",
}
"""What both releases leave as it is."""


def _wav_4(file: PackFile) -> Params:
    begin, end = file.facts.loop or (0, -1)
    return {
        **_WAV,
        "edit/loop_mode": "2" if file.facts.loop else "1",
        "edit/loop_begin": str(begin),
        "edit/loop_end": str(end),
        "compress/mode": "0",
    }


def _wav_3(file: PackFile) -> Params:
    """Godot 3 takes the loop points from the file."""
    return {
        **_WAV,
        "edit/loop": "true" if file.facts.loop else "false",
        "compress/mode": "0",
    }


def _stream(file: PackFile) -> Params:
    facts = file.facts
    offset = facts.loop[0] / facts.sample_rate_hz if facts.loop else 0.0
    return {"loop": "true" if facts.loop else "false", "loop_offset": f"{offset:.6f}"}


def _stream_4(file: PackFile) -> Params:
    bpm = file.chosen.row["bpm"]
    beats = file.seconds * bpm / 60 if bpm else 0.0
    # With a beat count the engine ends the stream on that beat: it must be the end of the file.
    whole = round(beats) if abs(beats - round(beats)) < _NEAR_BEATS else 0
    return {
        **_stream(file),
        "bpm": f"{bpm or 0:g}",
        "beat_count": str(whole),
        "bar_beats": str(_BEATS_A_BAR),
    }


_DIGITS = "abcdefghijklmnopqrstuvwxy012345678"
"""Of `ResourceUID` in Godot 4: 25 letters and 9 digits."""


def uid(identity: str) -> str:
    """The UID of 63 bits that Godot writes for the id, 32 hexadecimal digits.

    >>> uid("0" * 15 + "1" + "0" * 16)
    'uid://b'
    """
    number, text = int(identity[:16], 16) & (2**63 - 1), ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return f"uid://{text}"


def _from_pool(sound: PackSound, path: str) -> str:
    """``path`` relative to the folder of the pool, so that the export may lie anywhere in a project."""
    return posixpath.relpath(path, posixpath.dirname(sound.name) or ".")


def _pool_4(sound: PackSound) -> str:
    lines = [
        f'[gd_resource type="AudioStreamRandomizer" load_steps={len(sound.files) + 1} format=3 uid="{uid(sound.id)}"]',
        "",
    ]
    lines += [
        f'[ext_resource type="AudioStream" uid="{uid(file.id)}" path="{_from_pool(sound, file.path)}" id="{number}"]'
        for number, file in enumerate(sound.files, 1)
    ]
    lines += ["", "[resource]", f"streams_count = {len(sound.files)}"]
    for place in range(len(sound.files)):
        lines += [f'stream_{place}/stream = ExtResource("{place + 1}")', f"stream_{place}/weight = 1.0"]
    return "\n".join([*lines, ""])


def _pool_3(sound: PackSound) -> str:
    script_id = len(sound.files) + 1
    lines = [f'[gd_resource type="Resource" load_steps={script_id + 1} format=2]', ""]
    lines += [
        f'[ext_resource path="{_from_pool(sound, file.path)}" type="AudioStream" id={number}]'
        for number, file in enumerate(sound.files, 1)
    ]
    lines.append(f'[ext_resource path="{_from_pool(sound, _POOL_SCRIPT)}" type="Script" id={script_id}]')
    streams = ", ".join(f"ExtResource( {number} )" for number in range(1, script_id))
    return "\n".join(
        [*lines, "", "[resource]", f"script = ExtResource( {script_id} )", f"streams = [ {streams} ]", ""]
    )


GODOT_4 = Release(
    {
        "wav": Importer("wav", "AudioStreamWAV", _wav_4),
        "ogg": Importer("oggvorbisstr", "AudioStreamOggVorbis", _stream_4),
        "mp3": Importer("mp3", "AudioStreamMP3", _stream_4),
    },
    _pool_4,
    with_uids=True,
    scripts={},
)
GODOT_3 = Release(
    {
        "wav": Importer("wav", "AudioStreamSample", _wav_3),
        "ogg": Importer("ogg_vorbis", "AudioStreamOGGVorbis", _stream),
    },
    _pool_3,
    with_uids=False,
    scripts={_POOL_SCRIPT: script(_POOL_SCRIPT)},
)
