"""Conditioning audio on its way to the workers: from the manifest's folder into the store, before anything is made."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.plan import TakeOrder
from pipeline.store import ObjectRef, Store

_SUFFIX = re.compile(r"\.[a-z0-9]{1,12}")
_UNKNOWN = ".bin"
"""Suffix of an object whose file has none, or one that not every file system can hold."""


def store_inputs(orders: Iterable[TakeOrder], store: Store) -> list[TakeOrder]:
    """``orders``, each with the stored objects of its conditioning audio, which are durable when this returns.

    From then on the files themselves play no part. Raises `UsageError` for a file that is gone, or that is not the
    one that the manifest was checked with, and the store's errors.
    """
    stored: dict[tuple[str, str], ObjectRef] = {}
    ready = []
    for order in orders:
        for sha256, path in order.audio:
            if (sha256, path) not in stored:
                stored[sha256, path] = store.put(_read(path, sha256), suffix_of(path))
        ready.append(
            replace(order, inputs=tuple(stored[one] for one in order.audio)) if order.audio else order
        )
    return ready


def suffix_of(path: str) -> str:
    """The suffix under which the store holds a file.

    >>> suffix_of("audio/Theme.WAV"), suffix_of("audio/theme"), suffix_of("theme.wav (copy)")
    ('.wav', '.bin', '.bin')
    """
    suffix = Path(path).suffix.lower()
    return suffix if _SUFFIX.fullmatch(suffix) else _UNKNOWN


def _read(path: str, sha256: str) -> bytes:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}; put the file back") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UsageError(f"{path}: changed after the manifest was read; run the build again")
    return data
