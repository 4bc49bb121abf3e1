"""``library/latest`` as the file systems of studios let it be."""

from __future__ import annotations

import os
import stat
from typing import Any

import pytest
from quick import QuickProject

from pipeline.store import disk


def test_a_library_is_brought_up_to_date_where_read_only_files_cannot_be_removed_or_replaced(
    project: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where links into the store share its files' read-only mark."""
    project.build()
    unlink, replace = os.unlink, os.replace

    def refuse(path: Any) -> None:
        if os.path.exists(path) and not os.stat(path).st_mode & stat.S_IWRITE:
            raise PermissionError(13, "read-only", str(path))

    def strict_unlink(path: Any, **options: Any) -> None:
        refuse(path)
        unlink(path, **options)

    def strict_replace(source: Any, target: Any, **options: Any) -> None:
        refuse(target)
        replace(source, target, **options)

    monkeypatch.setattr(disk, "WINDOWS", True)
    monkeypatch.setattr(os, "unlink", strict_unlink)
    monkeypatch.setattr(os, "replace", strict_replace)
    project.write("  - {id: a/one, kind: sfx, prompt: another, duration: 0.5s}\n")
    assert project.build()["version"] == 2
    shown = {path.name for path in (project.outputs / "library" / "latest").rglob("*.wav")}
    assert shown == {"one_01.wav"}
