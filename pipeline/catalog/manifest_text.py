"""The text of the manifest that a version was built from: ``catalog/000042/manifest.json``.

One JSON object with the manifest and every file that it includes. Names and texts are kept as they are where they are
UTF-8, and as base64 elsewhere. Together they give the ``sha256`` that ``catalog.json`` records.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

from pipeline.catalog.version import Version
from pipeline.errors import StoreError, VerificationError
from pipeline.manifest.spec import ManifestText
from pipeline.store import Missing, Store, dump_record, read_record

MANIFEST_SCHEMA = "cuesmith.manifest/1"
MANIFEST_FILE = "manifest.json"


def texts_bytes(texts: Iterable[ManifestText]) -> bytes:
    """The file's bytes."""
    files = [
        {"name": _packed(text.name.encode("utf-8", "surrogateescape")), "text": _packed(text.data)}
        for text in texts
    ]
    return dump_record({"schema": MANIFEST_SCHEMA, "files": files})


def read_texts(store: Store, version: Version) -> list[ManifestText]:
    """The manifest of ``version`` and what it includes; the manifest itself comes first.

    Raises `StoreError` where an older release published the version, and `VerificationError` where the texts are not
    those that it was built from.
    """
    key = f"catalog/{version.number:06d}/{MANIFEST_FILE}"
    try:
        record = read_record(store.backend.read(key), MANIFEST_SCHEMA, key)
    except Missing:
        raise StoreError(
            f"version {version.number} was published without the text of its manifest; later versions have it"
        ) from None
    try:
        texts = [
            ManifestText(_unpacked(item["name"]).decode("utf-8", "surrogateescape"), _unpacked(item["text"]))
            for item in record["files"]
        ]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise VerificationError(f"{key} is damaged: {error}; restore it from a backup") from error
    if sha256_of(texts) != version.manifest["sha256"]:
        raise VerificationError(
            f"{key} is damaged: it is not the text that version {version.number} was built from; "
            "restore it from a backup"
        )
    return texts


def sha256_of(texts: Iterable[ManifestText]) -> str:
    """A project's SHA-256, from its files in their order."""
    return hashlib.sha256(b"".join(text.hashed for text in texts)).hexdigest()


def _packed(data: bytes) -> str | dict[str, str]:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _unpacked(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"])
