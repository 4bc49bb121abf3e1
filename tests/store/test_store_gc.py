"""What nothing names is removed; what anything names, or a build may be about to name, is not."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import VerificationError
from pipeline.store import Busy, ObjectRef, Store, gc, verify

PutTake = Callable[[Store, str, bytes], None]


def sha(data: bytes) -> str:
    return ObjectRef.of(data, ".flac").sha256


def test_unnamed_objects_go_and_named_ones_stay(store: Store, put_take: PutTake) -> None:
    put_take(store, "aa", b"named")
    store.put(b"orphan", ".flac")
    collected = gc(store, grace=0)
    assert collected.objects == (ObjectRef.of(b"orphan", ".flac").key,)
    assert (collected.freed, collected.kept) == (6, 1)
    assert store.objects() == {sha(b"named")}


def test_files_that_are_no_objects_are_not_touched(local: Store) -> None:
    local.backend.write("store/ab/notes.txt", b"mine")
    assert gc(local, grace=0).kept == 0
    assert local.objects() == set()
    assert local.backend.exists("store/ab/notes.txt")


def test_a_dry_run_removes_nothing(store: Store) -> None:
    store.put(b"orphan", ".flac")
    assert len(gc(store, grace=0, dry_run=True).objects) == 1
    assert store.objects() == {sha(b"orphan")}


def test_what_is_not_kept_goes_with_its_records(store: Store, put_take: PutTake) -> None:
    for digest, data in (("aa", b"keep"), ("bb", b"drop")):
        put_take(store, digest, data)
    collected = gc(store, {sha(b"keep")}, grace=0)
    assert collected.records == ("takes/bb.json",)
    assert store.records("takes") == {"aa"}
    assert store.objects() == {sha(b"keep")}
    assert list(verify(store)) == []


def test_keep_is_asked_once_nobody_can_write_any_more(store: Store, put_take: PutTake) -> None:
    put_take(store, "aa", b"sound")

    def keep() -> set[str]:
        with pytest.raises(Busy), store.shared(timeout=0):
            pass
        return {sha(b"sound")}

    gc(store, keep, grace=0)
    assert store.objects() == {sha(b"sound")}


def test_a_version_is_never_robbed(store: Store) -> None:
    ref = store.put(b"approved", ".flac")
    version = {"schema": "cuesmith.catalog/1", "masters": [{"audio": ref.to_json()}]}
    store.backend.write("catalog/000001/catalog.json", json.dumps(version).encode())
    assert gc(store, set(), grace=0).objects == ()
    assert store.get(ref) == b"approved"


def test_what_is_young_stays(store: Store, put_take: PutTake) -> None:
    put_take(store, "aa", b"take of a build that was just killed")
    store.put(b"orphan", ".flac")
    assert gc(store, set(), grace=60) == gc(store, set(), grace=60, dry_run=True)
    assert len(store.objects()) == 2
    assert store.records("takes") == {"aa"}


def test_putting_a_present_object_makes_it_young_again(local: Store) -> None:
    ref = local.put(b"old", ".flac")
    path = local.path(ref)
    assert path is not None
    os.utime(path, (0, 0))
    local.put(b"old", ".flac")
    assert gc(local, grace=60).objects == ()


def test_an_old_object_of_a_young_record_stays(local: Store, put_take: PutTake) -> None:
    put_take(local, "aa", b"old")
    path = local.path(ObjectRef.of(b"old", ".flac"))
    assert path is not None
    os.utime(path, (0, 0))
    assert gc(local, set(), grace=60).objects == ()


def test_old_temporary_files_go(local: Store, folder: Path) -> None:
    local.put(b"x", ".flac")
    for name, age in (("1-old", 7200), ("2-new", 0)):
        (folder / "tmp" / name).write_bytes(b"half")
        os.utime(folder / "tmp" / name, (time.time() - age,) * 2)
    assert gc(local).temporary == ("tmp/1-old",)
    assert os.listdir(folder / "tmp") == ["2-new"]


def test_nothing_is_collected_under_a_running_build(store: Store) -> None:
    store.put(b"orphan", ".flac")
    with store.shared(), store.shared(), pytest.raises(Busy, match="a build is using this store"):
        gc(store, grace=0)
    assert len(gc(store, grace=0).objects) == 1


def test_a_build_waits_for_a_collection(store: Store) -> None:
    with store.alone(), pytest.raises(Busy), store.shared(timeout=0):
        pass
    with store.shared(timeout=0):
        pass


def test_a_killed_build_holds_nothing(local: Store, folder: Path) -> None:
    folder.joinpath("locks/builds").mkdir(parents=True)
    folder.joinpath("locks/builds/99999-dead.lock").write_bytes(b"")
    with local.alone():
        assert os.listdir(folder / "locks/builds") == []


def test_a_record_that_cannot_be_read_stops_a_collection(store: Store) -> None:
    store.put(b"orphan", ".flac")
    store.backend.write("takes/aa.json", b"{")
    with pytest.raises(VerificationError, match=r"takes/aa.json is damaged.*verify --repair"):
        gc(store, grace=0)
    assert store.objects() == {sha(b"orphan")}


@given(
    takes=st.dictionaries(st.sampled_from("abcdef"), st.binary(max_size=2), max_size=6),
    versions=st.lists(st.binary(max_size=2), max_size=3),
    orphans=st.lists(st.binary(max_size=2), max_size=3),
    keep=st.none() | st.sets(st.binary(max_size=2), max_size=3),
)
def test_a_collected_store_is_always_whole(
    takes: dict[str, bytes], versions: list[bytes], orphans: list[bytes], keep: set[bytes] | None
) -> None:
    store = Store.open("memory://collected")
    for entry in list(store.backend.list()):
        store.backend.delete(entry.key)
    store = Store.open("memory://collected")
    for orphan in orphans:
        store.put(orphan, ".flac")
    for digest, data in takes.items():
        ref = store.put(data, ".flac")
        store.put_record("takes", digest, {"schema": "cuesmith.take/1", "audio": ref.to_json()})
    for number, data in enumerate(versions):
        version = {"schema": "cuesmith.catalog/1", "audio": store.put(data, ".flac").to_json()}
        store.backend.write(f"catalog/{number:06d}/catalog.json", json.dumps(version).encode())
    gc(store, None if keep is None else {sha(data) for data in keep}, grace=0)
    assert list(verify(store)) == []
    everything = {*takes.values(), *versions, *orphans}
    wanted = {*versions, *(takes.values() if keep is None else keep & everything)}
    assert store.objects() == {sha(data) for data in wanted}
