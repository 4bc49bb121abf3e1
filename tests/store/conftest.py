"""The three places that a store must work on: a folder, fsspec's memory, and S3 as served by moto."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from uuid import uuid4

import boto3
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from pipeline.store import Backend, Store
from pipeline.store.local import open_backend


@pytest.fixture(scope="session")
def s3_bucket() -> Iterator[str]:
    """URL of an empty bucket on loopback; requests are served one at a time, as S3 orders them by key."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        server = make_server(
            "127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), fd=listening.fileno()
        )
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", address)
            patch.setenv("AWS_ACCESS_KEY_ID", "test")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            boto3.client("s3").create_bucket(Bucket="sounds")
            yield "s3://sounds"
        server.shutdown()
        thread.join()
        server.server_close()


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
