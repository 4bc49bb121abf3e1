"""ffmpeg, for the formats that libsndfile lacks: where it is, and what it decodes to.

ffmpeg is told the container and may open nothing but the file itself, so no file leads it to another file or
to the network.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from pipeline.audio.limits import UnreadableSoundError
from pipeline.errors import MachineError

try:
    import imageio_ffmpeg
except ImportError:
    imageio_ffmpeg = None

REMEDY = "install the extra with: pip install 'cuesmith[m4a]'"
_LONGEST_S = 300
"""How long ffmpeg may take."""


def find_ffmpeg(*, systems_first: bool = False) -> str | None:
    """Path of ffmpeg: the one that the extra ``m4a`` carries, else the system's; None where there is none.

    Files are written by the former, whose bytes are the same on every machine. They are read by the latter where
    there is one (``systems_first``), which names the speakers of more files.
    """
    system = shutil.which("ffmpeg")
    if imageio_ffmpeg is None or (systems_first and system):
        return system
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        return system


def ffmpeg_program(what: str, *, systems_first: bool = False) -> str:
    """Path of ffmpeg by `find_ffmpeg`. Raises `MachineError` naming ``what`` needs it where there is none."""
    found = find_ffmpeg(systems_first=systems_first)
    if found is None:
        raise MachineError(f"{what} needs ffmpeg and none was found; {REMEDY}")
    return found


def decode_by_ffmpeg(
    program: str, source: bytes | Path, container: str, most_bytes: int
) -> tuple[bytes, str]:
    """The first sound of a file as float32 WAV of at most ``most_bytes``, and ffmpeg's first complaint (or "").

    ``container`` is the name of ffmpeg's demuxer. Raises `UnreadableSoundError` for what ffmpeg
    cannot read.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound" if isinstance(source, bytes) else source.absolute()
        if isinstance(source, bytes):
            path.write_bytes(source)
        reading = ["-nostdin", "-v", "error", "-protocol_whitelist", "file", "-f", container]
        writing = ["-map", "0:a:0", "-c:a", "pcm_f32le", "-fs", str(most_bytes), "-f", "wav", "pipe:1"]
        command = [program, *reading, "-i", f"file:{path}", *writing]
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=_LONGEST_S)
        except subprocess.TimeoutExpired as error:
            raise UnreadableSoundError(f"ffmpeg took more than {_LONGEST_S} s") from error
    said = done.stderr.decode(errors="replace").strip().splitlines()
    if done.returncode:
        reason = said[-1] if said else "nothing"
        raise UnreadableSoundError(f"ffmpeg says {reason}")
    return done.stdout, said[0] if said else ""
