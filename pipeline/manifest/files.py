"""Files that a manifest names: always inside the manifest's folder, on any machine."""

from __future__ import annotations

import hashlib
import math
import posixpath
from pathlib import Path, PurePosixPath

from pipeline.errors import CuesmithError
from pipeline.manifest import lazy_imports
from pipeline.manifest.ids import is_reserved
from pipeline.manifest.problems import Fault, quote
from pipeline.manifest.spec import AudioInput, Hearing

MIN_SECONDS = 0.02
"""Shortest sound that conditions anything: one frame of the codecs that hear it."""
_ROUNDING_S = 1e-6


def find_inside(root: Path, folder: Path, text: str) -> Path:
    """The existing file that ``text`` names from ``folder``, resolved; it must lie in ``root`` (resolved).

    Raises `Fault` for anything else: absolute, elsewhere (also by a link), another system's spelling, absent.
    """
    shown = quote(text)
    if "\\" in text:
        raise Fault(f"path {shown} holds a backslash", "separate folders with /")
    if ":" in text:
        raise Fault(
            f"path {shown} holds ':'", "write a path from this file's folder, such as audio/theme.wav"
        )
    if text.startswith("/"):
        raise Fault(
            f"path {shown} is absolute", "write a path from this file's folder, such as audio/theme.wav"
        )
    if any(
        is_reserved(part) or part.endswith((" ", ".")) for part in PurePosixPath(text).parts if part != ".."
    ):
        raise Fault(f"path {shown} holds a name that Windows cannot open", "rename that folder or file")
    try:
        found = (folder / text).resolve()
        if not found.is_relative_to(root):
            raise Fault(f"path {shown} leads out of the manifest's folder", "move the file into that folder")
        exists = found.is_file()
    except (OSError, RuntimeError) as error:
        raise Fault(f"path {shown} cannot be followed", "check it for links and length") from error
    if not exists:
        raise Fault(f"there is no file {shown}", "check the path, which starts at this file's folder")
    return found


class AudioFiles:
    """The audio files of one load, each read, checked and hashed once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[tuple[Path, str], AudioInput | Fault] = {}
        self._seconds: dict[str, float] = {}

    def find(self, text: str, folder: Path) -> AudioInput:
        """The file that ``text`` names from ``folder``. Raises `Fault` where it holds no sound that can be used."""
        if (folder, text) not in self._known:
            try:
                self._known[folder, text] = self._checked(text, folder)
            except Fault as fault:
                self._known[folder, text] = fault
        found = self._known[folder, text]
        if isinstance(found, Fault):
            raise Fault(found.what, found.remedy)
        return found

    def check_excerpt(self, audio: AudioInput, hearing: Hearing) -> None:
        """Raise `Fault` where ``audio`` is too short for the excerpt that ``hearing`` asks for."""
        seconds, start = self._seconds[audio.sha256], hearing.at_s or 0.0
        if start + hearing.excerpt_s > seconds + _ROUNDING_S:
            where = "" if hearing.at_s is None else f" at {start:g} s"
            what = f"file {quote(audio.name)} lasts {seconds:.4g} s, too short for an excerpt"
            remedy = "give a longer file, a shorter excerpt or another place (at)"
            raise Fault(f"{what} of {hearing.excerpt_s:g} s{where}", remedy)

    def _checked(self, text: str, folder: Path) -> AudioInput:
        path = find_inside(self._root, folder, text)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise Fault(
                f"file {quote(text)} cannot be read: {error.strerror}", "check its permissions"
            ) from error
        sha256 = hashlib.sha256(data).hexdigest()
        self._seconds[sha256] = _seconds_of(data, text)
        name = text
        if folder != self._root:
            name = posixpath.normpath((folder.relative_to(self._root) / text).as_posix())
        return AudioInput(name=name, path=str(path), sha256=sha256)


def _seconds_of(data: bytes, text: str) -> float:
    """The length of the sound in ``data``. Raises `Fault` where it is no sound, or none that can be used."""
    if not data:
        raise Fault(f"file {quote(text)} is empty", "export it again")
    try:
        clip = lazy_imports.read_audio(data)
    except CuesmithError as error:
        what, _, remedy = str(error).rpartition("; ")
        raise Fault(f"file {quote(text)}: {what or remedy}", remedy if what else "export it again") from error
    if clip.seconds < MIN_SECONDS:
        what = f"file {quote(text)} holds {clip.seconds * 1000:.3g} ms of sound"
        raise Fault(what, f"give {MIN_SECONDS * 1000:g} ms or more")
    # Of all samples together: a sum is finite only where every sample is, and needs no copy of them.
    if not math.isfinite(float(clip.samples.sum(dtype="float64"))):
        what = f"file {quote(text)} holds samples that are not numbers (NaN or infinity)"
        raise Fault(what, "export it again")
    return clip.seconds
