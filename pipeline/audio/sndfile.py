"""Sound by libsndfile, block by block, so that a header is trusted no further than the samples behind it."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import soundfile

from pipeline.audio.clip import Clip, Samples
from pipeline.audio.limits import UnreadableSoundError, check_rate, check_size
from pipeline.audio.speakers import guessed_mask

_BLOCK = 1 << 15
"""Samples of all channels decoded at a time."""
_UNKNOWN_LENGTH = 1 << 62
"""Lengths from here on mean that the header states none."""


class _Bytes(io.BytesIO):
    """A file in memory that a broken file may send to a place before its start without a traceback on stderr."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return super().seek(max(0, offset) if whence == io.SEEK_SET else offset, whence)


_one_at_a_time = threading.Lock()


@contextmanager
def without_remarks() -> Iterator[None]:
    """Without what libmpg123 writes to standard error of each damaged frame, whoever listens.

    Standard error belongs to the whole process, so use it only where a damaged file is decoded.
    """
    with _one_at_a_time:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file read from start to end: soundfile seeks after each block otherwise, which fails in a FLAC of
    unknown length and in some surround Opus."""

    def seekable(self) -> bool:
        """Say that there is no way back."""
        return False


def decode_by_libsndfile(data: bytes) -> tuple[Clip, str | None]:
    """The sound of a file's bytes, and what stopped libsndfile before the length that the header states.

    Raises `UnreadableSoundError` with libsndfile's reason.
    """
    blocks: list[Samples] = []
    reason: str | None = None
    try:
        with _Forward(_Bytes(data)) as file:
            check_rate(file.samplerate)
            rate, channels, stated = file.samplerate, file.channels, file.frames
            step = max(1, _BLOCK // channels)
            while len(block := file.read(step, "float32", always_2d=True)):
                blocks.append(block)
                check_size(sum(map(len, blocks)) * channels)
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        if not blocks:
            raise UnreadableSoundError(reason) from error
    samples = np.empty((channels, sum(map(len, blocks))), np.float32)
    place = 0
    for block in blocks:
        samples[:, place : place + len(block)] = block.T
        place += len(block)
    if reason is None and place < stated < _UNKNOWN_LENGTH:
        reason = f"{place} of {stated} samples are there"
    return Clip(samples, int(rate), guessed_mask(channels)), reason
