"""Storing an object and naming it in a record."""

from __future__ import annotations

from pipeline.provenance import ObjectJson
from pipeline.store import Store


def put_object(store: Store, data: bytes, suffix: str) -> ObjectJson:
    """Store ``data`` durably; returns how records name it."""
    ref = store.put(data, suffix)
    return ObjectJson(sha256=ref.sha256, suffix=ref.suffix, size=ref.size)
