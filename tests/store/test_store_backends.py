"""What every backend promises, on a folder, in memory and on S3."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MachineError, StoreError, UsageError
from pipeline.store import Backend, Busy, Missing
from pipeline.store.backend import check_key
from pipeline.store.local import open_backend
from pipeline.store.remote import FsspecBackend


def test_what_is_written_is_read_back(backend: Backend) -> None:
    backend.write("a/b/c.bin", b"one")
    backend.write("a/b/empty", b"")
    assert backend.read("a/b/c.bin") == b"one"
    assert backend.read("a/b/empty") == b""
    assert backend.size("a/b/c.bin") == 3


def test_writing_again_replaces(backend: Backend) -> None:
    backend.write("pointer", b"old", read_only=True)
    backend.write("pointer", b"new and longer")
    assert backend.read("pointer") == b"new and longer"


def test_reading_nothing_says_missing(backend: Backend) -> None:
    backend.write("folder/file", b"")
    for key in ("nothing", "folder/nothing", "folder", "folder/file/below"):
        with pytest.raises(Missing, match="does not exist"):
            backend.read(key)
        assert not backend.exists(key)
        assert backend.size(key) is None
        assert not backend.confirm(key, 0)


def test_only_the_first_creates(backend: Backend) -> None:
    assert backend.create("catalog/1.json", b"mine")
    assert not backend.create("catalog/1.json", b"yours")
    assert backend.read("catalog/1.json") == b"mine"


def test_a_swap_needs_what_was_expected(backend: Backend) -> None:
    assert not backend.compare_and_swap("channels/latest.json", b"0", b"1")
    assert backend.compare_and_swap("channels/latest.json", None, b"1")
    assert not backend.compare_and_swap("channels/latest.json", None, b"2")
    assert not backend.compare_and_swap("channels/latest.json", b"0", b"2")
    assert backend.read("channels/latest.json") == b"1"
    assert backend.compare_and_swap("channels/latest.json", b"1", b"2")
    assert backend.read("channels/latest.json") == b"2"


def test_of_swaps_at_once_one_succeeds(backend: Backend) -> None:
    backend.write("x", b"old")
    with ThreadPoolExecutor(8) as threads:
        done = list(
            threads.map(lambda number: backend.compare_and_swap("x", b"old", b"new %d" % number), range(8))
        )
    assert done.count(True) == 1
    assert backend.read("x") == b"new %d" % done.index(True)


def test_an_s3_swap_whose_answer_was_lost_counts(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = FsspecBackend(f"{s3_bucket}/{uuid4().hex}")
    backend.write("x", b"old")
    real = backend._fs.pipe_file

    def twice(path: str, data: bytes, **options: Any) -> None:
        real(path, data, **options)
        real(path, data, **options)

    monkeypatch.setattr(backend._fs, "pipe_file", twice)
    assert backend.compare_and_swap("x", b"old", b"new")
    assert backend.read("x") == b"new"


def test_a_name_counts_as_confirmed_only_in_its_full_size(backend: Backend) -> None:
    backend.write("x", b"123")
    assert backend.confirm("x", 3)
    assert not backend.confirm("x", 4)


def test_lists_files_below_a_folder_in_order(backend: Backend) -> None:
    for key in ("t/b.json", "t/a.json", "t/deep/er/c.json", "tt.json"):
        backend.write(key, key.encode())
    assert [entry.key for entry in backend.list("t")] == ["t/a.json", "t/b.json", "t/deep/er/c.json"]
    assert [entry.key for entry in backend.list()] == ["t/a.json", "t/b.json", "t/deep/er/c.json", "tt.json"]
    assert [entry.size for entry in backend.list("tt.json")] == [7]
    assert list(backend.list("none")) == []


def test_names_what_is_directly_in_a_folder(backend: Backend) -> None:
    for key in ("t/b.json", "t/deep/er/c.json"):
        backend.write(key, b"")
    assert backend.names("t") == {"b.json", "deep"}
    assert backend.names() == ({"t", "tmp"} if backend.local_path("t") else {"t"})
    assert backend.names("none") == set()


def test_modification_times_are_now(backend: Backend) -> None:
    backend.write("x", b"")
    first = next(backend.list("x")).modified
    backend.write("y", b"")
    assert 0 <= next(backend.list("y")).modified - first < 60


def test_deleting_is_idempotent(backend: Backend) -> None:
    backend.write("x/y", b"", read_only=True)
    backend.delete("x/y")
    backend.delete("x/y")
    assert not backend.exists("x/y")


def test_moves_without_losing_either(backend: Backend) -> None:
    backend.write("x", b"1", read_only=True)
    backend.move("x", "quarantine/deep/x")
    assert not backend.exists("x")
    assert backend.read("quarantine/deep/x") == b"1"
    backend.write("x", b"2")
    with pytest.raises(StoreError, match="exists already"):
        backend.move("x", "quarantine/deep/x")
    with pytest.raises(Missing):
        backend.move("nothing", "elsewhere")


def test_reads_many_in_the_order_asked_and_skips_what_is_gone(backend: Backend) -> None:
    for index in range(5):
        backend.write(f"r/{index}", b"%d" % index)
    found = list(backend.read_many(["r/3", "r/nothing", "r/0"]))
    assert found == [("r/3", b"3"), ("r/0", b"0")]
    assert list(backend.read_many([])) == []


def test_lines_come_back_in_order(backend: Backend) -> None:
    assert list(backend.read_lines("runs/1/journal.jsonl")) == []
    for index in range(12):
        backend.append("runs/1/journal.jsonl", b'{"event": %d}' % index)
    assert list(backend.read_lines("runs/1/journal.jsonl")) == [b'{"event": %d}' % i for i in range(12)]


def test_several_lines_are_added_at_once_or_not_at_all(backend: Backend) -> None:
    backend.append("journal.jsonl", b"1")
    backend.append("journal.jsonl", b"2", b"3\n")
    with pytest.raises(UsageError, match="one line"):
        backend.append("journal.jsonl", b"4", b"a\nb")
    assert list(backend.read_lines("journal.jsonl")) == [b"1", b"2", b"3"]


@pytest.mark.parametrize("line", [b"", b"\n", b"a\nb", b"a\0"])
def test_an_event_is_one_line(backend: Backend, line: bytes) -> None:
    with pytest.raises(UsageError, match="one line"):
        backend.append("journal.jsonl", line)
    assert list(backend.read_lines("journal.jsonl")) == []


def test_a_lock_keeps_others_out_until_it_is_free(backend: Backend, root: str) -> None:
    other = open_backend(root)
    with backend.lock("room/one", 5):
        with pytest.raises(Busy, match="wait until it ends"), other.lock("room/one", 0):
            pass
        with other.lock("room/two", 0):
            pass
    with other.lock("room/one", 5):
        pass


def test_a_lock_is_free_after_an_error_inside(backend: Backend) -> None:
    with pytest.raises(ZeroDivisionError), backend.lock("x", 5):
        raise ZeroDivisionError
    with backend.lock("x", 5):
        pass


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/x",
        "x/",
        "x//y",
        ".",
        "..",
        "a/../b",
        "con",
        "a/NUL.txt",
        "com1",
        "x.",
        "x ",
        "a:b",
        "a\\b",
        "a\nb",
    ],
)
def test_a_key_that_some_disk_cannot_hold_is_refused(backend: Backend, key: str) -> None:
    with pytest.raises(UsageError, match="cannot name a stored file"):
        backend.write(key, b"")


@given(st.text(max_size=30))
def test_no_accepted_key_leaves_the_root(key: str) -> None:
    try:
        check_key(key)
    except UsageError:
        return
    assert not key.startswith("/")
    assert not {"", ".", ".."} & set(key.split("/"))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://example.org/x", "cannot keep a store on http://; use gcs://"),
        ("nosuch://x", "cannot keep a store on nosuch://"),
        ("sftp://me:secret@host/x", "^sftp://host/x: cuesmith cannot"),
        ("s3://", "a bucket is missing; give it after the scheme: s3://bucket/prefix"),
    ],
)
def test_a_protocol_that_cannot_hold_a_store_is_named(url: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        open_backend(url)


def test_a_missing_driver_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_driver(protocol: str) -> None:
        raise ImportError(f"Install s3fs to access {protocol}")

    monkeypatch.setattr("fsspec.core.get_filesystem_class", no_driver)
    with pytest.raises(MachineError, match=r"pip install cuesmith\[s3\]"):
        open_backend("s3://bucket/x")


def test_a_bucket_that_is_not_there_is_named(s3_bucket: str) -> None:
    backend = open_backend(f"{s3_bucket}-elsewhere/x")
    with pytest.raises(MachineError, match=r"cannot write s3://sounds-elsewhere/x/key: .*check the bucket"):
        backend.write("key", b"")
