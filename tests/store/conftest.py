"""The three places that a store must work on: a folder, fsspec's memory, and S3 as served by moto."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from object_store import s3_bucket

from pipeline.store import Backend, Store
from pipeline.store.local import open_backend

__all__ = ["s3_bucket"]


@pytest.fixture(params=["local", "memory", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What a person gives as ``--outputs``: new for every test."""
    if request.param == "local":
        return str(tmp_path / "outputs")
    if request.param == "memory":
        return f"memory://{uuid4().hex}/outputs"
    return f"{request.getfixturevalue('s3_bucket')}/{uuid4().hex}"


@pytest.fixture
def backend(root: str) -> Backend:
    return open_backend(root)


@pytest.fixture
def store(root: str) -> Store:
    return Store.open(root)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The root of a local store."""
    return tmp_path / "outputs"


@pytest.fixture
def local(folder: Path) -> Store:
    return Store.open(folder)


@pytest.fixture
def put_take() -> Callable[[Store, str, bytes], None]:
    """Store an object and the record that names it, as a build does."""

    def put(store: Store, digest: str, data: bytes) -> None:
        ref = store.put(data, ".flac")
        store.put_record("takes", digest, {"schema": "cuesmith.take/1", "audio": ref.to_json()})

    return put
