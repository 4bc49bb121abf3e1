"""Who reviews where nobody says it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_gits_name_is_read_as_git_writes_it_whatever_the_machine_speaks(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[user]\n name = Zoë Ünal\n", encoding="utf-8")
    speaks_ascii = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-c", "from pipeline.review import reviewer_name; print(ascii(reviewer_name()))"],
        env={**os.environ, **speaks_ascii, "GIT_CONFIG_GLOBAL": str(config), "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ascii("Zoë Ünal")
