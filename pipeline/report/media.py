"""What the page plays and draws: where each sound lies, and sidecars made once for every hash of samples.

A sidecar is a script that calls the page with one object, since a page from disk may load scripts and no data.
``reports/cache/ab/<pcm>.js`` holds pictures. ``<pcm>.loop.js`` holds a whole sound, as 16-bit FLAC, because only a
sound that is decoded in memory wraps and switches without a gap; it is made for loops and for what is compared by ear.
"""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile

from pipeline.audio import Clip, read
from pipeline.audio.dither import pcm_bytes
from pipeline.errors import CuesmithError
from pipeline.provenance import MasterRow, ObjectJson
from pipeline.report.pictures import picture, thumb
from pipeline.store import ObjectRef, Store

CACHE = "reports/cache"
# In the order in which a browser plays them best; lossless first.
_PREFERRED = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a")


@dataclass(frozen=True, slots=True)
class Sound:
    """One sound that the page can play."""

    pcm: str
    """SHA-256 of its samples."""
    object: ObjectRef
    whole: bool
    """Whether it must wrap or switch without a gap, so that it needs a sidecar of its own."""


def rendition(row: MasterRow) -> tuple[str, ObjectRef]:
    """The file of a master that a browser plays best: its library path and its object."""
    path, found = min(row["files"].items(), key=lambda item: _rank(item[1]))
    return path, ObjectRef(found["sha256"], found["suffix"], found["size"])


def prepare_media(store: Store, sounds: Iterable[Sound]) -> dict[str, str]:
    """Make the sidecars that are missing; returns each sound's small envelope by hash, empty where it is unreadable.

    Samples are read, drawn and packed beside each other on every core: numpy and libsndfile leave the interpreter.
    """
    wanted: dict[str, Sound] = {}
    for sound in sounds:
        known = wanted.get(sound.pcm)
        wanted[sound.pcm] = Sound(sound.pcm, sound.object, sound.whole or (known is not None and known.whole))
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return dict(pool.map(lambda sound: (sound.pcm, _sidecars(store, sound)), wanted.values()))


def sidecar_key(pcm: str, what: str = "") -> str:
    """Where a sidecar lies in the store's root; ``what`` is empty for pictures or ``.loop`` for the sound."""
    return f"{CACHE}/{pcm[:2]}/{pcm}{what}.js"


def _sidecars(store: Store, sound: Sound) -> str:
    """Make what is missing of one sound's sidecars; returns its small envelope."""
    pictures, whole = sidecar_key(sound.pcm), sidecar_key(sound.pcm, ".loop")
    backend = store.backend
    known = _known_thumb(backend.read(pictures)) if backend.exists(pictures) else None
    if known is not None and (not sound.whole or backend.exists(whole)):
        return known
    try:
        data = store.get(sound.object)
        clip = read(data)
    except CuesmithError:
        return ""
    if known is None:
        known = thumb(clip)
        _write(store, pictures, "picture", sound.pcm, {"thumb": known, **picture(clip).to_json()})
    if sound.whole:
        _write(store, whole, "sound", sound.pcm, _packed(data, clip, sound.object.suffix))
    return known


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


def _known_thumb(data: bytes) -> str | None:
    """The small envelope in a picture's sidecar; None when the file is not one."""
    head, _, rest = data.partition(b'"thumb":"')
    found, quote, _ = rest.partition(b'"')
    whole = head.startswith(b"cuesmith.picture(") and data.endswith(b")\n") and bool(quote)
    return found.decode("ascii", "replace") if whole else None


def _rank(item: ObjectJson) -> tuple[int, str]:
    suffix = item["suffix"]
    return (_PREFERRED.index(suffix) if suffix in _PREFERRED else len(_PREFERRED), suffix)
