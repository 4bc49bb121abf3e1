"""Any sound file that a person has, as a clip: by libsndfile, and by ffmpeg what libsndfile lacks."""

from __future__ import annotations

from pathlib import Path

from pipeline.audio import Clip, read
from pipeline.delivery.m4a import m4a_clip
from pipeline.errors import UsageError

_BY_FFMPEG = (".m4a", ".mp4", ".aac")


def open_clip(path: Path) -> Clip:
    """The sound of the file at ``path``.

    Raises `UsageError` for what is missing or no sound, `MachineError` for m4a where there is no ffmpeg.
    """
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give the path of a sound file") from error
    return m4a_clip(path) if path.suffix.lower() in _BY_FFMPEG else read(path)
