"""S3 on loopback, as served by moto."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from threading import Thread

import boto3
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server


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
