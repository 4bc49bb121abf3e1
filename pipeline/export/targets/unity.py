"""Unity: a ``.meta`` file beside each sound, and scripts that make one playable asset of each sound.

The import settings are those of `AudioImporter`, serialized version 8. The importer has no loop flag: the asset has
it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.export.folder import Item
from pipeline.export.pack import PACK_FILE, Pack, PackFile
from pipeline.export.scripts import script

_SCRIPTS = {
    "CuesmithSound.cs": "3b7c5b0f2a9146d29b7f1c6f0f5d8a11",
    "Editor/CuesmithImport.cs": "c1f5e6d7a0434f0c8a2be95d4c7e3f22",
}
"""GUID of each script by its path. A GUID never changes: assets name their script by it."""
_STREAMED_S = 10.0
"""Music of this length and more is read from the disk while it plays."""
_DECOMPRESS_ON_LOAD = 0
_STREAMING = 2
_VORBIS = 1

_META = """\
fileFormatVersion: 2
guid: {guid}
{importer}:
  externalObjects: {{}}
{settings}  userData:
  assetBundleName:
  assetBundleVariant:
"""
_AUDIO = """\
  serializedVersion: 8
  defaultSettings:
    serializedVersion: 2
    loadType: {load}
    sampleRateSetting: 0
    sampleRateOverride: 44100
    compressionFormat: {format}
    quality: 1
    conversionMode: 0
    preloadAudioData: {preload}
  platformSettingOverrides: {{}}
  forceToMono: 0
  normalize: 0
  loadInBackground: 0
  ambisonic: 0
  3D: {spatial}
"""
_SCRIPT = """\
  serializedVersion: 2
  defaultReferences: []
  executionOrder: 0
  icon: {instanceID: 0}
"""


def files(pack: Pack) -> Mapping[str, Item]:
    """The ``.meta`` files and the scripts of a pack."""
    made = {f"{file.path}.meta": _settings(file.id, "AudioImporter", _audio(file)) for file in pack.files}
    made[f"{PACK_FILE}.meta"] = _settings(pack.id, "TextScriptImporter", "")
    for path, guid in _SCRIPTS.items():
        made[path] = Item.of(script(path.rpartition("/")[2]))
        made[f"{path}.meta"] = _settings(guid, "MonoImporter", _SCRIPT)
    return made


def _settings(guid: str, importer: str, settings: str) -> Item:
    """Import settings. A person's changes of them stay: nothing in them depends on the sound itself."""
    text = _META.format(guid=guid, importer=importer, settings=settings)
    return Item.of(text.encode(), lambda present, ours: present)


def _audio(file: PackFile) -> str:
    is_music = file.chosen.row["kind"] == "music"
    streamed = is_music and file.seconds >= _STREAMED_S
    return _AUDIO.format(
        load=_STREAMING if streamed else _DECOMPRESS_ON_LOAD,
        format=_VORBIS,
        preload=int(not streamed),
        spatial=int(not is_music),
    )
