"""Publishing in an object store: a build that lost its lease changes no version and moves no pointer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest

from pipeline.catalog import BuildFacts, Catalog, Version
from pipeline.errors import StoreError
from pipeline.store import Store

COMPANIONS = ("catalog.parquet", "catalog.csv", "build.json")


@pytest.fixture(params=["memory", "s3"])
def remote_root(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "memory":
        yield f"memory://{uuid4().hex}/outputs"
    else:
        yield f"{request.getfixturevalue('s3_bucket')}/{uuid4().hex}"


def publish(
    root: str, run: str, companions: Callable[[Version], Mapping[str, bytes]] | None = None
) -> Version:
    def own(version: Version) -> Mapping[str, bytes]:
        return {name: f"{name} of {run}".encode() for name in COMPANIONS}

    return _publish(Catalog(Store.open(root)), run, companions or own)


def _publish(catalog: Catalog, run: str, companions: Callable[[Version], Mapping[str, bytes]]) -> Version:
    version, _ = catalog.publish(
        lambda before: ((), ()), BuildFacts(run, "2026-01-01T00:00:00Z", run, {}), companions
    )
    return version


def lose_the_lease(root: str) -> None:
    """What everybody sees of a machine that sleeps for longer than a lease."""
    backend = Store.open(root).backend
    last = max(backend.names("locks/publish.lock"))
    backend.write(
        f"locks/publish.lock/{last}", b'{"schema": "cuesmith.lease/1", "holder": "asleep", "expires": 0}'
    )


def files_of(root: str, run: str) -> list[bytes]:
    return [f"{name} of {run}".encode() for name in COMPANIONS]


def test_who_lost_its_lease_before_it_wrote_leaves_the_winners_version_alone(remote_root: str) -> None:
    def slow(version: Version) -> Mapping[str, bytes]:
        lose_the_lease(remote_root)
        assert publish(remote_root, "winner").number == version.number
        return dict.fromkeys(COMPANIONS, b"of the loser")

    with pytest.raises(StoreError, match="ran out"):
        publish(remote_root, "loser", slow)
    backend = Store.open(remote_root).backend
    assert [backend.read(f"catalog/000001/{name}") for name in COMPANIONS] == files_of(remote_root, "winner")
    assert Catalog(Store.open(remote_root)).channel("latest")["history"][-1]["by"] == "winner"  # type: ignore[index]


@pytest.mark.parametrize("last", [*COMPANIONS, "catalog.json"])
def test_who_loses_its_lease_while_it_writes_never_moves_the_pointer(
    remote_root: str, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    loser = Catalog(Store.open(remote_root))
    real: Any = loser.store.backend.create

    def create(key: str, data: bytes) -> bool:
        done = real(key, data)
        if key == f"catalog/000001/{last}":
            lose_the_lease(remote_root)
            assert publish(remote_root, "winner").number == 2
        return bool(done)

    monkeypatch.setattr(loser.store.backend, "create", create)
    with pytest.raises(StoreError, match="ran out"):
        _publish(loser, "loser", lambda version: dict.fromkeys(COMPANIONS, b"of the loser"))
    backend = Store.open(remote_root).backend
    assert [backend.read(f"catalog/000002/{name}") for name in COMPANIONS] == files_of(remote_root, "winner")
    latest = Catalog(Store.open(remote_root)).latest()
    assert latest is not None
    assert (latest.number, latest.run) == (2, "winner")


def test_a_folder_without_a_version_is_never_filled_by_another_build(store: Store) -> None:
    store.backend.write("catalog/000001/catalog.parquet", b"of a build that was killed")
    assert publish(store.root, "next").number == 2
    assert store.backend.read("catalog/000001/catalog.parquet") == b"of a build that was killed"
    assert Catalog(Store.open(store.root)).numbers() == [2]
