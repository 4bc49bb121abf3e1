"""Objects and records: what goes in comes out, and nothing names what is not there."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import FormatError, StoreError, UsageError, VerificationError
from pipeline.store import Missing, ObjectRef, Store, dump_record, named_objects, read_record

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
REFS = st.builds(
    ObjectRef.of,
    st.binary(),
    st.sampled_from([".wav", ".flac", ".tar.gz"]),
)


@given(data=st.binary(max_size=2000))
def test_what_is_put_is_got(data: bytes) -> None:
    store = Store.open("memory://objects")
    ref = store.put(data, ".flac")
    assert store.get(ref) == data
    assert ref.sha256 == hashlib.sha256(data).hexdigest()
    assert ref.size == len(data)


def test_an_object_lies_under_its_hash(store: Store) -> None:
    ref = store.put(b"sound", ".ogg")
    assert ref.key == f"store/{ref.sha256[:2]}/{ref.sha256}.ogg"
    assert store.has(ref)
    assert store.objects() == {ref.sha256}
    assert store.get(ref) == b"sound"


def test_a_local_object_is_read_only(local: Store) -> None:
    path = local.path(local.put(b"sound", ".wav"))
    assert path is not None
    assert stat.S_IMODE(os.stat(path).st_mode) & 0o222 == 0


def test_a_present_object_is_not_rewritten(local: Store) -> None:
    path = local.path(local.put(b"sound", ".wav"))
    assert path is not None
    before = os.stat(path).st_ino
    Store.open(local.root).put(b"sound", ".wav")
    assert os.stat(path).st_ino == before


def test_an_object_cut_short_is_written_again(local: Store) -> None:
    ref = local.put(b"a long sound", ".wav")
    damage(local, ref, b"a long")
    assert not local.has(ref)
    local.put(b"a long sound", ".wav")
    assert local.get(ref) == b"a long sound"


def test_wrong_bytes_are_never_handed_out(store: Store) -> None:
    ref = store.put(b"sound", ".wav")
    store.backend.write(ref.key, b"noise")
    with pytest.raises(VerificationError, match=rf"{ref.key} is damaged.*verify --repair"):
        store.get(ref)


def test_a_missing_object_is_named_with_the_remedy(store: Store) -> None:
    ref = ObjectRef.of(b"never put", ".wav")
    assert not store.has(ref)
    with pytest.raises(Missing, match=rf"{ref.sha256}.*verify --repair"):
        store.get(ref)


def test_nothing_is_made_before_something_is_written(local: Store, folder: Path) -> None:
    assert local.objects() == set()
    assert local.records("takes") == set()
    assert local.get_record("takes", "ab12", "cuesmith.take/1") is None
    assert not folder.exists()


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="file is a file; give a folder"):
        Store.open(tmp_path / "file")


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    store = Store.open((tmp_path / "with space").as_uri())
    path = store.path(store.put(b"1", ".wav"))
    assert path is not None
    assert path.is_relative_to(tmp_path / "with space")


@given(value=JSON)
def test_a_record_comes_back_as_it_was(value: Any) -> None:
    store = Store.open("memory://records")
    record = {"schema": "cuesmith.take/1", "value": value}
    store.put_record("takes", "ab12", record)
    assert store.get_record("takes", "ab12", "cuesmith.take/1") == record


def test_records_are_listed_and_read_together(store: Store) -> None:
    for digest in ("aa", "bb", "cc"):
        store.put_record("takes", digest, {"schema": "cuesmith.take/1", "is": digest})
    assert store.records("takes") == {"aa", "bb", "cc"}
    found = dict(store.get_records("takes", ["cc", "zz", "aa"], "cuesmith.take/1"))
    assert {digest: record["is"] for digest, record in found.items()} == {"cc": "cc", "aa": "aa"}


def test_equal_records_give_equal_bytes() -> None:
    assert dump_record({"b": 1, "schema": "cuesmith.take/1", "a": "ü"}) == dump_record(
        {"a": "ü", "b": 1, "schema": "cuesmith.take/1"}
    )


def test_a_record_may_not_name_an_object_that_is_not_there(store: Store) -> None:
    ref = ObjectRef.of(b"never put", ".wav")
    with pytest.raises(StoreError, match="put the object first"):
        store.put_record("takes", "ab12", {"schema": "cuesmith.take/1", "deep": [{"audio": ref.to_json()}]})
    assert store.records("takes") == set()


@given(refs=st.lists(REFS, max_size=4), value=JSON)
def test_every_named_object_is_found_at_any_depth(refs: list[ObjectRef], value: Any) -> None:
    record = {"schema": "x", "value": value, "deep": [{"in": [ref.to_json() for ref in refs]}]}
    assert list(named_objects(json.loads(json.dumps(record)))) == refs


@given(ref=REFS)
def test_a_name_comes_back_from_json(ref: ObjectRef) -> None:
    assert ObjectRef.from_json(json.loads(json.dumps(ref.to_json()))) == ref


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"sha256": "0" * 64, "suffix": ".wav"},
        {"sha256": "../../etc/passwd", "suffix": ".wav", "size": 1},
        {"sha256": "A" * 64, "suffix": ".wav", "size": 1},
        {"sha256": "0" * 64, "suffix": "/../x", "size": 1},
        {"sha256": "0" * 64, "suffix": "", "size": 1},
        {"sha256": "0" * 64, "suffix": ".wav", "size": -1},
        {"sha256": "0" * 64, "suffix": ".wav", "size": True},
        {"sha256": 7, "suffix": ".wav", "size": 1},
    ],
)
def test_a_malformed_name_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        ObjectRef.from_json(value)


@pytest.mark.parametrize(
    ("room", "digest"), [("../x", "ab"), ("takes", "../ab"), ("Takes", "ab"), ("takes", "")]
)
def test_a_record_cannot_leave_its_room(store: Store, room: str, digest: str) -> None:
    with pytest.raises(UsageError, match="cannot name a record"):
        store.put_record(room, digest, {"schema": "cuesmith.take/1"})


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"schema": "cuesmith.master/1"}, "holds cuesmith.master, not cuesmith.take"),
        (
            {"schema": "cuesmith.take/9"},
            r"newer cuesmith \(cuesmith.take/9; this one reads up to /3\); update",
        ),
        ({"schema": "cuesmith.take/1"}, "old format cuesmith.take/1, which this cuesmith no longer reads"),
        ({"schema": "take"}, "names no cuesmith format"),
        ({"schema": ["x"]}, "names no cuesmith format"),
        ({}, "names no cuesmith format"),
    ],
)
def test_an_unknown_format_is_refused_in_words(store: Store, record: dict[str, Any], says: str) -> None:
    store.backend.write("takes/ab12.json", json.dumps(record).encode())
    with pytest.raises(FormatError, match=rf"takes/ab12.json.*{says}"):
        store.get_record("takes", "ab12", "cuesmith.take/3")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"\0\0\0", b"[" * 20_000])
def test_a_damaged_record_names_the_remedy(store: Store, data: bytes) -> None:
    store.backend.write("takes/ab12.json", data)
    with pytest.raises(VerificationError, match=r"takes/ab12.json is damaged.*verify --repair"):
        store.get_record("takes", "ab12", "cuesmith.take/1")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1, 2}])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(UsageError, match=r"cuesmith.take/1 cannot be stored as JSON"):
        dump_record({"schema": "cuesmith.take/1", "value": value})


def test_the_same_version_is_read_as_it_is() -> None:
    assert read_record(b'{"schema": "cuesmith.take/2"}', "cuesmith.take/2", "x") == {
        "schema": "cuesmith.take/2"
    }


def damage(store: Store, ref: ObjectRef, data: bytes) -> None:
    path = store.path(ref)
    assert path is not None
    path.chmod(0o644)
    path.write_bytes(data)


def test_damage_that_keeps_the_size_is_written_over(local: Store) -> None:
    path = local.path(local.put(b"sound", ".wav"))
    assert path is not None
    path.unlink()
    path.write_bytes(b"noise")
    Store.open(local.root).put(b"sound", ".wav")
    assert path.read_bytes() == b"sound"


def test_what_is_missing_torn_or_of_another_hash_fails_the_check(store: Store) -> None:
    whole, torn, changed = (store.put(name, ".wav") for name in (b"whole", b"torn", b"changed"))
    store.check([whole, torn, changed], [whole, torn, changed])
    store.backend.write(torn.key, b"to")
    store.backend.write(changed.key, b"CHANGED")
    store.check([whole, changed], [whole])
    with pytest.raises(VerificationError, match=r"has 2 bytes, and 4 were recorded; run `cuesmith verify"):
        store.check([torn], [])
    with pytest.raises(VerificationError, match="hash to"):
        store.check([whole, changed], [changed])
    with pytest.raises(Missing, match=r"is not in the store; run `cuesmith verify"):
        store.check([ObjectRef.of(b"never", ".wav")], [])
