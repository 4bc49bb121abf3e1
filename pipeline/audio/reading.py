"""Any sound file as a clip: what is there, and what is wrong with the file.

Files come from anywhere, so reading takes bounded time and memory: only regular files of limited size are
opened, and a header is never trusted further than the bytes behind it.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.audio.clip import Clip
from pipeline.audio.wav import decode
from pipeline.errors import UsageError

LARGEST_FILE = 4 << 30
"""Bytes of the largest file that is read: what a WAV file can hold."""


@dataclass(frozen=True, eq=False)
class Sound:
    """What a sound file holds."""

    clip: Clip
    problem: str | None
    """Why the file is incomplete or damaged though ``clip`` could be read, with the file's name and the
    remedy; None for a whole file."""


def read_sound(source: bytes | str | Path, *, finite: bool = False) -> Sound:
    """The sound of a file's bytes or path, as far as it can be read: any format that libsndfile or ffmpeg
    knows, whatever the file is called.

    With ``finite``, NaN and infinite samples are refused. Raises `UsageError` for what cannot be read (missing,
    not a regular file, not a sound, larger than `LARGEST_FILE`), `MachineError` for a format that needs ffmpeg
    where there is none. An incomplete file is read as far as it goes; ``Sound.problem`` says what is missing.
    """
    name = "the sound" if isinstance(source, bytes) else str(source)
    clip = decode(source if isinstance(source, bytes) else _file_bytes(Path(source)), name)
    if finite and not np.isfinite(clip.samples).all():
        raise UsageError(f"{name}: the sound holds NaN or infinite samples; export it again")
    return Sound(clip, None)


def read(source: bytes | str | Path) -> Clip:
    """The sound of a whole file. Raises what `read_sound` raises, and `UsageError` for an incomplete file."""
    sound = read_sound(source)
    if sound.problem is not None:
        raise UsageError(sound.problem)
    return sound.clip


def _file_bytes(path: Path) -> bytes:
    """The bytes of a regular file of bounded size; a pipe or a device could go on for ever."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            what = "is a folder" if stat.S_ISDIR(found.st_mode) else "is not a regular file"
            raise UsageError(f"{path}: {what}; give the path of a sound file")
        if found.st_size <= LARGEST_FILE:
            with path.open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
            if len(data) <= LARGEST_FILE:
                return data
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: {reason}; give the path of a sound file") from error
    raise UsageError(f"{path}: larger than {LARGEST_FILE >> 30} GiB; cut it into parts")
