"""Facts about this machine for records: software versions and the git commit."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from pipeline import __version__

_AUDIO_PACKAGES = ("numpy", "scipy", "soundfile", "soxr", "pyloudnorm")


def software_versions(also: Mapping[str, str] | None = None) -> dict[str, str]:
    """Versions of all software that can change a sample: Cuesmith, the numeric packages, and ``also``."""
    versions = {"cuesmith": __version__, "python": platform.python_version(), "machine": platform.machine()}
    return versions | {package: version(package) for package in _AUDIO_PACKAGES} | dict(also or {})


def git_commit(folder: Path) -> str | None:
    """The commit checked out in ``folder``'s repository, with ``+changes`` where tracked files differ.

    None outside a repository or where git is not installed.
    """
    try:
        commit = ask_git(folder, "rev-parse", "HEAD")
        changed = ask_git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+changes" if changed else commit


def ask_git(folder: Path, *arguments: str) -> str:
    """What git prints in ``folder``, without space around it. Raises `OSError` or `subprocess.SubprocessError`."""
    # Without its lock file: git would leave it in the user's repository if it were killed together with a build.
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    done = subprocess.run(
        command, check=True, capture_output=True, encoding="utf-8", errors="replace", timeout=20
    )
    return done.stdout.strip()
