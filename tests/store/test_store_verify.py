"""Whatever is wrong in a store is found, moved aside and made again; nothing is lost on the way."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.store import Busy, Finding, ObjectRef, Repair, Store, set_aside, verify
from pipeline.store import local as local_folder

PutTake = Callable[[Store, str, bytes], None]


def repair(store: Store) -> list[Repair]:
    with store.alone():
        return set_aside(store, [finding for finding in list(verify(store)) if finding.harmful])


def only(findings: list[Finding]) -> Finding:
    assert len(findings) == 1, findings
    return findings[0]


def test_a_whole_store_has_no_findings(store: Store, put_take: PutTake) -> None:
    put_take(store, "aa", b"one")
    put_take(store, "bb", b"two")
    seen: list[tuple[int, int]] = []
    assert list(verify(store, lambda done, total: seen.append((done, total)))) == []
    assert seen == [(1, 2), (2, 2)]


def test_every_single_flipped_bit_is_found(local: Store, put_take: PutTake) -> None:
    put_take(local, "aa", b"abc")
    ref = ObjectRef.of(b"abc", ".flac")
    for bit in range(24):
        wrong = (int.from_bytes(b"abc", "big") ^ 1 << bit).to_bytes(3, "big")
        local.backend.write(ref.key, wrong)
        finding = only(list(verify(local)))
        assert (finding.kind, finding.key, finding.named_by) == ("damaged", ref.key, ("takes/aa.json",))


def test_a_torn_object_is_found(store: Store, put_take: PutTake) -> None:
    put_take(store, "aa", b"whole")
    ref = ObjectRef.of(b"whole", ".flac")
    store.backend.write(ref.key, b"who")
    finding = only(list(verify(store)))
    assert finding.kind == "torn"
    assert str(finding) == f"{ref.key}: torn: it has 3 bytes, and 5 were recorded (named by takes/aa.json)"


def test_a_missing_object_is_found_by_who_names_it(store: Store, put_take: PutTake) -> None:
    put_take(store, "aa", b"gone")
    put_take(store, "bb", b"gone")
    store.backend.delete(ObjectRef.of(b"gone", ".flac").key)
    finding = only(list(verify(store)))
    assert finding.kind == "missing"
    assert finding.named_by == ("takes/aa.json", "takes/bb.json")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"schema"',
        b"{}",
        b'{"schema": "cuesmith.take/1", "audio": {"sha256": "x", "suffix": ".wav", "size": 1}}',
        b'{"schema": "cuesmith.take/1", "digest": "bb"}',
    ],
)
def test_an_unreadable_record_is_found(store: Store, data: bytes) -> None:
    store.backend.write("takes/aa.json", data)
    assert only(list(verify(store))).kind == "unreadable"


def test_what_does_no_harm_is_told_apart(local: Store) -> None:
    local.backend.write("store/ab/Thumbs.db", b"")
    local.backend.write("tmp/123-abc", b"half")
    findings = list(verify(local))
    assert [finding.key for finding in findings] == ["store/ab/Thumbs.db", "tmp/123-abc"]
    assert not any(finding.harmful for finding in findings)
    assert repair(local) == []


def test_a_repaired_store_is_whole_and_has_lost_nothing(store: Store, put_take: PutTake) -> None:
    for digest, data in (("aa", b"damaged"), ("bb", b"missing"), ("cc", b"whole")):
        put_take(store, digest, data)
    store.backend.write("masters/dd.json", b"{")
    store.backend.write(ObjectRef.of(b"damaged", ".flac").key, b"changed")
    store.backend.delete(ObjectRef.of(b"missing", ".flac").key)
    repairs = repair(store)
    assert len(repairs) == 3
    assert list(verify(store)) == []
    assert store.records("takes") == {"cc"}
    assert store.records("masters") == set()
    moved = {old: store.backend.read(new) for repaired in repairs for old, new in repaired.moved}
    assert moved[ObjectRef.of(b"damaged", ".flac").key] == b"changed"
    assert json.loads(moved["takes/bb.json"])["schema"] == "cuesmith.take/1"
    assert repair(store) == []


def test_the_same_damage_twice_keeps_both_in_quarantine(store: Store, put_take: PutTake) -> None:
    ref = ObjectRef.of(b"sound", ".flac")
    for wrong in (b"first", b"second"):
        put_take(store, "aa", b"sound")
        store.backend.delete(ref.key)
        store.backend.write(ref.key, wrong)
        repair(store)
    kept = {
        store.backend.read(entry.key) for entry in store.backend.list("quarantine") if "store/" in entry.key
    }
    assert kept == {b"first", b"second"}


def test_a_version_stays_and_is_whole_once_the_bytes_are_made_again(store: Store) -> None:
    ref = store.put(b"sound", ".wav")
    version = json.dumps({"schema": "cuesmith.catalog/1", "master": ref.to_json()}).encode()
    store.backend.write("catalog/000001/catalog.json", version)
    store.backend.delete(ref.key)
    store.backend.write(ref.key, b"noise")
    assert only([repaired.finding for repaired in repair(store)]).named_by == ("catalog/000001/catalog.json",)
    assert store.backend.read("catalog/000001/catalog.json") == version
    assert only(list(verify(store))).kind == "missing"
    store.put(b"sound", ".wav")
    assert list(verify(store)) == []


def test_a_damaged_version_is_left_to_a_person(store: Store) -> None:
    store.backend.write("catalog/000001/catalog.json", b"{")
    repaired = repair(store)[0]
    assert repaired.moved == ()
    assert "restore this file from a backup" in repaired.advice


def test_nothing_is_repaired_under_a_running_build(store: Store) -> None:
    with store.shared(), pytest.raises(Busy, match="a build is using this store"):
        repair(store)
    repair(store)


def loop_link(path: Path) -> None:
    """A file that nobody can read, whatever rights they have: a link to itself."""
    path.unlink()
    path.symlink_to(path.name)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
@pytest.mark.parametrize("key", ["takes/aa.json", ObjectRef.of(b"sound", ".flac").key])
def test_a_file_that_cannot_be_read_is_reported_and_the_rest_is_checked(
    local: Store, folder: Path, put_take: PutTake, key: str
) -> None:
    put_take(local, "aa", b"sound")
    put_take(local, "bb", b"other")
    loop_link(folder / key)
    local.backend.write(ObjectRef.of(b"other", ".flac").key, b"OTHER")
    found = {finding.key: finding.kind for finding in verify(local)}
    assert found == {key: "unreadable", ObjectRef.of(b"other", ".flac").key: "damaged"}
    repair(local)
    assert list(verify(local)) == []
    assert local.records("takes") == set()


def test_a_disk_error_in_one_object_is_reported_and_the_rest_is_checked(
    local: Store, put_take: PutTake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_take(local, "aa", b"sound")
    put_take(local, "bb", b"other")
    victim = ObjectRef.of(b"sound", ".flac").key

    def failing(path: str, *words: Any) -> Any:
        if path.endswith(victim):
            raise OSError(errno.EIO, "Input/output error")
        return open(path, *words)

    monkeypatch.setattr(local_folder, "open", failing, raising=False)
    finding = only(list(verify(local)))
    assert (finding.kind, finding.key, finding.named_by) == ("unreadable", victim, ("takes/aa.json",))
    assert "the disk reports an error" in finding.what


def test_a_conflict_of_git_in_a_record_is_reported_by_its_line(store: Store) -> None:
    store.backend.write("takes/aa.json", b'{\n<<<<<<< HEAD\n"a": 1\n=======\n"a": 2\n>>>>>>> other\n}\n')
    assert "git left a merge conflict in line 2" in only(list(verify(store))).what
