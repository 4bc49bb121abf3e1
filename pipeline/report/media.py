"""What the page plays and draws: the path of each sound, and script files ("sidecars") made once for each hash of
samples.

A sidecar is a script that calls the page with one object, since a page from disk may load scripts and no data.
``reports/cache/ab/<pcm>.js`` holds pictures. ``<pcm>.loop.js`` holds a whole sound, as 16-bit FLAC, because only a
sound that is decoded in memory wraps and switches without a gap; it is made for loops and for what is compared by ear.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile

from pipeline.audio import Clip, read
from pipeline.audio.dither import pcm_bytes
from pipeline.cpus import usable_cpus
from pipeline.errors import CuesmithError
from pipeline.provenance import MasterRow, ObjectJson
from pipeline.report.pictures import picture, thumb
from pipeline.store import Backend, ObjectRef, Store, translate_os_errors

CACHE = "reports/cache"
_SCRIPT_END = b")\n"
# In the order in which a browser plays them best; lossless first.
_PREFERRED = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a")


@dataclass(frozen=True, slots=True)
class Sound:
    """One sound that the page can play."""

    pcm: str
    """SHA-256 of its samples."""
    object: ObjectRef
    name: str
    """Name of the master, as people read it."""
    whole: bool
    """Whether it must loop or switch without a gap, and so needs a sidecar of its own."""


def rendition(row: MasterRow) -> tuple[str, ObjectRef]:
    """The file of a master that a browser plays best: its library path and its object."""
    path, found = min(row["files"].items(), key=lambda item: _rank(item[1]))
    return path, ObjectRef(found["sha256"], found["suffix"], found["size"])


def prepare_media(store: Store, sounds: Iterable[Sound]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Make the sidecars that are missing.

    Returns each sound's small envelope by hash, empty where the sound cannot be read, and the names of masters for
    which a sidecar is missing for that reason. Samples are read, drawn and packed beside each other on every CPU that
    this process may use: numpy and libsndfile leave the interpreter.
    """
    wanted: dict[str, Sound] = {}
    names: dict[str, list[str]] = {}
    for sound in sounds:
        known = wanted.get(sound.pcm)
        whole = sound.whole or (known is not None and known.whole)
        wanted[sound.pcm] = Sound(sound.pcm, sound.object, sound.name, whole)
        names.setdefault(sound.pcm, []).append(sound.name)
    with ThreadPoolExecutor(max_workers=usable_cpus()) as pool:
        made = dict(pool.map(lambda sound: (sound.pcm, _sidecars(store, sound)), wanted.values()))
    lacking = dict.fromkeys(name for pcm, (_, whole) in made.items() if not whole for name in names[pcm])
    return {pcm: thumb for pcm, (thumb, _) in made.items()}, tuple(lacking)


def sidecar_key(pcm: str, what: str = "") -> str:
    """Where a sidecar lies in the store's root; ``what`` is empty for pictures or ``.loop`` for the sound."""
    return f"{CACHE}/{pcm[:2]}/{pcm}{what}.js"


def _sidecars(store: Store, sound: Sound) -> tuple[str, bool]:
    """Make what is missing of one sound's sidecars; returns its small envelope, and whether all are there now."""
    pictures, whole = sidecar_key(sound.pcm), sidecar_key(sound.pcm, ".loop")
    backend = store.backend
    known = _known_thumb(backend.read(pictures)) if backend.exists(pictures) else None
    if known is not None and (not sound.whole or _is_whole(backend, whole)):
        return known, True
    try:
        data = store.get(sound.object)
        clip = read(data)
    except CuesmithError:
        return known or "", False
    if known is None:
        known = thumb(clip)
        _write(store, pictures, "picture", sound.pcm, {"thumb": known, **picture(clip).to_json()})
    if sound.whole:
        _write(store, whole, "sound", sound.pcm, _packed(data, clip, sound.object.suffix))
    return known, True


def _packed(data: bytes, clip: Clip, suffix: str) -> Mapping[str, Any]:
    """The sound for a browser to decode: a WAV as FLAC in 16 bits with dither, anything else as it is.

    The low 8 bits of 24 hold noise that no coder makes smaller; without them the sidecar is half as large.
    """
    if suffix == ".wav":
        sink = io.BytesIO()
        samples = np.frombuffer(pcm_bytes(clip, "16"), "<i2").reshape(-1, clip.channels)
        soundfile.write(sink, samples, clip.rate, "PCM_16", format="FLAC")
        data, suffix = sink.getvalue(), ".flac"
    return {"suffix": suffix, "data": base64.b64encode(data).decode("ascii")}


def _write(store: Store, key: str, call: str, pcm: str, value: Mapping[str, Any]) -> None:
    store.backend.write(key, script(call, pcm, value))


def script(call: str, name: str, value: Any) -> bytes:
    """A sidecar: one call of the page with one JSON object, in ASCII, so that it is safe in any script."""
    return f"cuesmith.{call}({json.dumps(name)},{json.dumps(value, separators=(',', ':'))})\n".encode("ascii")


def _is_whole(backend: Backend, key: str) -> bool:
    """Whether a sidecar is there to its end. An object store takes a file whole or not at all."""
    path = backend.local_path(key)
    if path is None or not path.is_file():
        return backend.exists(key)
    with translate_os_errors("read", str(path)), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_SCRIPT_END)))
        return file.read() == _SCRIPT_END


def _known_thumb(data: bytes) -> str | None:
    """The small envelope in a picture's sidecar; None when the file is not one."""
    head, _, rest = data.partition(b'"thumb":"')
    found, quote, _ = rest.partition(b'"')
    whole = head.startswith(b"cuesmith.picture(") and data.endswith(_SCRIPT_END) and bool(quote)
    return found.decode("ascii", "replace") if whole else None


def _rank(item: ObjectJson) -> tuple[int, str]:
    suffix = item["suffix"]
    return (_PREFERRED.index(suffix) if suffix in _PREFERRED else len(_PREFERRED), suffix)
