"""Facts about the machine that go into records."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_a_changed_file_of_any_name_marks_the_commit_whatever_the_machine_speaks(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)

    git("init", "-q")
    for key, value in (("core.quotePath", "false"), ("user.name", "Ada"), ("user.email", "ada@example.com")):
        git("config", key, value)
    song = tmp_path / "canción Í.yaml"
    song.write_text("1", encoding="utf-8")
    git("add", ".")
    git("commit", "-qm", "a song")
    song.write_text("2", encoding="utf-8")
    asked = "from pathlib import Path; from pipeline.provenance.facts import git_commit; print(git_commit(Path()))"
    speaks_ascii = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", asked],
        env={**os.environ, **speaks_ascii},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().endswith("+changes")
