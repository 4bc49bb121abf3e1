"""Files that a command writes because the user asked for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import MachineError
from pipeline.store.disk import write_atomically


def write_file(path: Path, data: bytes, other: str) -> None:
    """Write a file that the user asked for, and its folder. Raises `MachineError` that asks for another ``other``."""
    with write_errors(path, other):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)


@contextmanager
def write_errors(path: Path, other: str) -> Iterator[None]:
    """Turn an error of the file at ``path`` into a `MachineError` that asks for another ``other``."""
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"cannot write {path}: {error.strerror}; choose another {other}, or check its permissions"
        ) from error
