"""Exit codes tell what a command did, whoever reads its output."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from toys import ToyProject

from pipeline.catalog import Catalog
from pipeline.store import Store

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="/dev/full is Linux's")

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")


def cuesmith(*words: str | Path, stdout: int, **environment: str) -> tuple[int, str]:
    """Exit code and standard error of a command in a process of its own."""
    command = [sys.executable, "-P", "-c", "from flows.cli import main; main()", *map(str, words)]
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": paths, **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )
    return done.returncode, done.stderr.decode()


@contextmanager
def unread_pipe() -> Iterator[int]:
    """The end of a pipe whose reader is gone, as ``head -1`` leaves it."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        yield writer
    finally:
        os.close(writer)


@contextmanager
def full_disk() -> Iterator[int]:
    descriptor = os.open(FULL, os.O_WRONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def words_of(toys: ToyProject) -> list[tuple[list[str | Path], int]]:
    """Commands, and the exit code of each when its output is read."""
    place: list[str | Path] = [toys.manifest, "--outputs", toys.outputs]
    return [
        (["--help"], 0),
        (["--version"], 0),
        (["plan", "--help"], 0),
        (["schema"], 0),
        (["plan", *place], 0),
        (["plan", *place, "--json"], 0),
        (["plan", *place, "--check"], 1),
        (["validate", toys.folder / "none.yaml", "--json"], 2),
    ]


def test_a_reader_that_went_away_changes_no_exit_code(toys: ToyProject) -> None:
    for words, expected in words_of(toys):
        with unread_pipe() as pipe:
            code, said = cuesmith(*words, stdout=pipe)
        assert (code, "Traceback" in said, "cannot write" in said) == (expected, False, False), (words, said)


@needs_full
def test_output_that_finds_no_room_is_reported_with_the_remedy_and_exit_4(toys: ToyProject) -> None:
    for words, expected in words_of(toys):
        with full_disk() as full:
            code, said = cuesmith(*words, stdout=full)
        assert (code, "Traceback" in said) == (expected or 4, False), (words, said)
        if expected == 0:
            assert "cannot write standard output: No space left on device" in said
            assert "Free some disk space" in said


@needs_full
def test_errors_that_cannot_be_written_keep_their_exit_code(toys: ToyProject) -> None:
    command = [sys.executable, "-c", "from flows.cli import main; main()", "validate", "none.yaml"]
    with full_disk() as full:
        assert subprocess.run(command, stdout=full, stderr=full, check=False).returncode == 2


def test_a_standard_output_that_is_closed_is_no_error(toys: ToyProject) -> None:
    place = f"'{toys.manifest}' --outputs '{toys.outputs}' --json >&-"
    command = f"'{sys.executable}' -c 'from flows.cli import main; main()' plan {place}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("output", "expected"), [(unread_pipe, 0), pytest.param(full_disk, 4, marks=needs_full)]
)
def test_a_build_whose_result_nobody_reads_has_published(
    output: type[object], expected: int, toys: ToyProject, prefect_server: str
) -> None:
    with output() as stdout:  # type: ignore[attr-defined]
        code, said = cuesmith(
            *("build", toys.manifest, "--outputs", toys.outputs, "--devices", "cpu", "--quiet"),
            stdout=stdout,
            PREFECT_API_URL=prefect_server,
        )
    assert (code, "Traceback" in said) == (expected, False), said
    assert Catalog(Store.open(toys.outputs)).numbers() == [1]
