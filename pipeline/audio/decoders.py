"""Decoding by libsndfile and, for the formats that it lacks, by ffmpeg; bounded in time and memory for any file.

libsndfile decodes block by block, so that a header is trusted no further than the samples behind it. ffmpeg gets the
container's name and may open nothing but the file itself, so no file leads it to another file or to the network.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import soundfile

from pipeline.audio.clip import Clip, Samples, guessed_mask
from pipeline.errors import MachineError

LARGEST_FILE = 4 << 30
"""Bytes of the largest file that Cuesmith reads, which is the largest WAV file."""
MOST_SAMPLES = 1 << 30
"""Most samples of all channels that Cuesmith reads: three hours of stereo at 48 kHz, 4 GiB in memory."""
LOWEST_HZ = 1_000
HIGHEST_HZ = 768_000


class UnreadableSoundError(Exception):
    """The reason why bytes cannot be read as a sound; `read_sound` adds the file's name and the remedy."""


def check_rate(rate: int) -> None:
    """Raise `UnreadableSoundError` for a rate outside `LOWEST_HZ` to `HIGHEST_HZ`."""
    if not LOWEST_HZ <= rate <= HIGHEST_HZ:
        raise UnreadableSoundError(f"a rate of {rate} Hz is out of range ({LOWEST_HZ} to {HIGHEST_HZ} Hz)")


def check_size(samples: int) -> None:
    """Raise `UnreadableSoundError` for more ``samples`` (of all channels) than `MOST_SAMPLES`."""
    if samples > MOST_SAMPLES:
        raise UnreadableSoundError(f"longer than {MOST_SAMPLES} samples of all channels; cut it into parts")


_BLOCK = 1 << 15
"""Samples of all channels decoded at a time."""
_UNKNOWN_LENGTH = 1 << 62
"""Lengths from here on mean that the header has no length."""


class _Bytes(io.BytesIO):
    """A file in memory where a damaged file may cause a seek before the start, without a traceback on stderr."""

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return super().seek(max(0, offset) if whence == io.SEEK_SET else offset, whence)


_stderr_lock = threading.Lock()


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Discard what libmpg123 writes to standard error about each damaged frame.

    Standard error belongs to the whole process, so use this only to decode a file that is known to be damaged.
    """
    with _stderr_lock:
        stderr, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, 2)
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            os.close(null)


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """A sound file read from start to end. A seekable one seeks after each block, which fails in a FLAC of unknown
    length and in some surround Opus."""

    def seekable(self) -> bool:
        """Return False."""
        return False


def decode_by_libsndfile(data: bytes) -> tuple[Clip, str | None]:
    """The sound of a file's bytes, and why libsndfile stopped before the length in the header, or None.

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
        reason = f"it has only {place} of {stated} samples"
    return Clip(samples, int(rate), guessed_mask(channels)), reason


try:
    import imageio_ffmpeg
except ImportError:
    imageio_ffmpeg = None

REMEDY = "install the extra with: pip install 'cuesmith[m4a]'"
_TIMEOUT_S = 300
_ADDRESS = re.compile(" @ 0x[0-9a-f]+")
"""Of ffmpeg's own objects in its messages, different each time."""


def ffmpeg_program(what: str, *, systems_first: bool = False) -> str:
    """Path of ffmpeg: the one of the extra ``m4a``, else the system's.

    The extra's ffmpeg writes the same bytes on every machine. The system's, preferred with ``systems_first``, knows the
    speakers of more files. If there is none, raises `MachineError` with ``what`` needs it.
    """
    system = shutil.which("ffmpeg")
    if imageio_ffmpeg is not None and not (systems_first and system):
        with suppress(RuntimeError):
            return str(imageio_ffmpeg.get_ffmpeg_exe())
    if system is None:
        raise MachineError(f"{what} needs ffmpeg, which is not installed; {REMEDY}")
    return system


def decode_by_ffmpeg(program: str, data: bytes, container: str, most_bytes: int) -> tuple[bytes, str]:
    """The first sound of a file as float32 WAV of at most ``most_bytes``, and ffmpeg's first error message (or "").

    ``container`` is the name of ffmpeg's demuxer. Raises `UnreadableSoundError` if ffmpeg cannot read the file.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound"
        path.write_bytes(data)
        reading = ["-nostdin", "-v", "error", "-protocol_whitelist", "file", "-f", container]
        writing = ["-map", "0:a:0", "-c:a", "pcm_f32le", "-fs", str(most_bytes), "-f", "wav", "pipe:1"]
        command = [program, *reading, "-i", f"file:{path}", *writing]
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise UnreadableSoundError(f"ffmpeg took more than {_TIMEOUT_S} s") from error
    text = done.stderr.decode(errors="replace").replace(f"file:{path}: ", "")
    messages = _ADDRESS.sub("", text).strip().splitlines()
    if done.returncode:
        raise UnreadableSoundError(f"ffmpeg: {messages[-1] if messages else 'failed without a message'}")
    return done.stdout, messages[0] if messages else ""
