"""Read any sound file as a clip, and say what is wrong with the file.

Files come from anywhere, so reading takes bounded time and memory: only regular files of limited size are opened, and
the samples that exist count, not the header. The first bytes of a file decide its format, not its name.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.audio.aiff import chunked_problem, with_caf_size, with_stated_speakers
from pipeline.audio.clip import NAMED_MASKS, Clip, stated_mask
from pipeline.audio.containers import (
    FIRST_BOXES,
    id3_size,
    iso_length,
    iso_problem,
    matroska_seconds,
    mp3_problem,
    ogg_problem,
    with_ogg_speakers,
)
from pipeline.audio.decoders import (
    LARGEST_FILE,
    MOST_SAMPLES,
    UnreadableSoundError,
    decode_by_ffmpeg,
    decode_by_libsndfile,
    ffmpeg_program,
    silent_stderr,
)
from pipeline.audio.wav_reader import is_wave, read_wave
from pipeline.errors import UsageError
from pipeline.formats import ANY_FORMAT

_MATROSKA = b"\x1a\x45\xdf\xa3"
_MATROSKA_SLACK_S = 0.1
"""Matroska rounds times to milliseconds, and its header counts the whole last packet."""
_FLAC_MASK = re.compile(rb"WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x([0-9a-fA-F]{1,8})", re.IGNORECASE)
_FLAC_HEAD = 1 << 16
"""Bytes of a FLAC file that are searched for the mask: its comments come first."""


@dataclass(frozen=True, eq=False)
class Sound:
    """The result of reading a sound file."""

    clip: Clip
    problem: str | None
    """What is missing or damaged although ``clip`` could be read, with the file's name and the remedy; None for a
    complete file."""


def read_sound(source: bytes | str | Path) -> Sound:
    """The sound of a file's bytes or path, in any format that libsndfile or ffmpeg knows.

    An incomplete file is read as far as possible; ``Sound.problem`` says what is missing. Raises `UsageError` if the
    file cannot be read (missing, not a regular file, not a sound, larger than `LARGEST_FILE`); `MachineError` for a
    format that needs ffmpeg if there is none.
    """
    name = "the sound" if isinstance(source, bytes) else str(source)
    try:
        clip, problem = _decode(source if isinstance(source, bytes) else _file_bytes(Path(source)))
    except UnreadableSoundError as error:
        raise UsageError(
            f"{name} cannot be read as audio: {error}; give a complete {ANY_FORMAT} file"
        ) from error
    return Sound(clip, problem and f"{name} is incomplete or damaged: {problem}; copy or export it again")


def read(source: bytes | str | Path) -> Clip:
    """The sound of a complete file. Raises what `read_sound` raises, and `UsageError` for an incomplete file."""
    sound = read_sound(source)
    if sound.problem is not None:
        raise UsageError(sound.problem)
    return sound.clip


def _file_bytes(path: Path) -> bytes:
    """The bytes of a regular file of bounded size; a pipe or a device might never end."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "is a folder" if stat.S_ISDIR(status.st_mode) else "is not a regular file"
            raise UsageError(f"{path}: {what}; give the path of a sound file")
        if status.st_size <= LARGEST_FILE:
            with path.open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
            if len(data) <= LARGEST_FILE:
                return data
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: {reason}; give the path of a sound file") from error
    raise UsageError(f"{path}: larger than {LARGEST_FILE >> 30} GiB; cut it into parts")


def _decode(data: bytes) -> tuple[Clip, str | None]:
    """The sound and what is wrong with the file; its first bytes decide which reader is used."""
    if not data:
        raise UnreadableSoundError("it is empty")
    tags = id3_size(data)
    if tags and data[tags : tags + 4] in (b"RIFF", b"RIFX", b"RF64", b"BW64", b"fLaC", b"OggS", b"FORM"):
        data = data[tags:]
    if is_wave(data):
        return read_wave(data)
    if data[4:8] in FIRST_BOXES:
        return _iso(data)
    if data[:4] == _MATROSKA:
        return _matroska(data)
    if data[:1] == b"\xff" and data[1:2] and data[1] & 0xF6 == 0xF0:
        return _by_ffmpeg(data, "aac", "AAC")
    return _by_libsndfile(data)


def _by_libsndfile(data: bytes) -> tuple[Clip, str | None]:
    kind = data[:4]
    if kind[:3] == b"ID3" or kind[:1] == b"\xff":
        return _mp3(data)
    clip, problem = decode_by_libsndfile(with_caf_size(data) if kind == b"caff" else data)
    if kind == b"OggS":
        return with_ogg_speakers(data, clip), ogg_problem(data) or problem
    if kind == b"fLaC":
        stated = _FLAC_MASK.search(data, 0, _FLAC_HEAD)
        mask = int(stated[1], 16) if stated else NAMED_MASKS.get(clip.channels, 0)
        return Clip(clip.samples, clip.rate, stated_mask(mask, clip.channels)), problem
    if kind in (b"FORM", b"caff", b".snd"):
        speakers = clip if kind == b".snd" else with_stated_speakers(data, clip)
        return speakers, chunked_problem(data) or problem
    return clip, problem


def _mp3(data: bytes) -> tuple[Clip, str | None]:
    problem = mp3_problem(data)
    if problem is None:
        return decode_by_libsndfile(data)
    with silent_stderr():
        clip, _ = decode_by_libsndfile(data)
    return clip, problem


def _by_ffmpeg(data: bytes, container: str, what: str) -> tuple[Clip, str | None]:
    """The sound that ffmpeg decodes to WAV, and its first error message as what is wrong."""
    most_bytes = 4 * MOST_SAMPLES
    program = ffmpeg_program(what, systems_first=True)
    decoded, message = decode_by_ffmpeg(program, data, container, most_bytes)
    if len(decoded) >= most_bytes:
        raise UnreadableSoundError(f"longer than {MOST_SAMPLES} samples of all channels")
    clip, problem = read_wave(decoded)
    return clip, f"ffmpeg: {message}" if message else problem


def _matroska(data: bytes) -> tuple[Clip, str | None]:
    """Matroska and WebM; the header states the duration unless the file was streamed."""
    clip, problem = _by_ffmpeg(data, "matroska", "Matroska or WebM")
    stated = matroska_seconds(data)
    if stated is not None and clip.seconds < stated - _MATROSKA_SLACK_S:
        problem = problem or f"its header states {stated:.3f} s, but it has {clip.seconds:.3f} s"
    return clip, problem


def _iso(data: bytes) -> tuple[Clip, str | None]:
    """MP4 and similar files, without the coder's padding at the end."""
    clip, problem = _by_ffmpeg(data, "mov", "m4a")
    problem = iso_problem(data) or problem
    length = iso_length(data, clip.rate)
    if length is None:
        return clip, problem
    if length > clip.length:
        problem = problem or f"it has only {clip.length} of {length} samples"
    return Clip(np.ascontiguousarray(clip.samples[:, : max(length, 0)]), clip.rate, clip.speakers), problem
