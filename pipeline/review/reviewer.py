"""The reviewer's default name."""

from __future__ import annotations

import getpass
import subprocess


def reviewer_name() -> str:
    """Git's ``user.name``, else the user name on this machine."""
    try:
        said = subprocess.run(
            ["git", "config", "user.name"],
            check=True,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=20,
        )
        name = said.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        name = ""
    if name:
        return name
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
