"""Files that a manifest names: always inside the manifest's folder, on any machine."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath

from pipeline.manifest.faults import Fault, quote
from pipeline.manifest.ids import is_reserved
from pipeline.manifest.spec import AudioInput


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
    """The audio files of one load, each read and hashed once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[str, AudioInput | Fault] = {}

    def find(self, text: str) -> AudioInput:
        """The file that a manifest calls ``text``. Raises `Fault`."""
        if text not in self._known:
            try:
                self._known[text] = self._hashed(text)
            except Fault as fault:
                self._known[text] = fault
        found = self._known[text]
        if isinstance(found, Fault):
            raise Fault(found.what, found.remedy)
        return found

    def _hashed(self, text: str) -> AudioInput:
        path = find_inside(self._root, self._root, text)
        try:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise Fault(
                f"file {quote(text)} cannot be read: {error.strerror}", "check its permissions"
            ) from error
        return AudioInput(name=text, path=str(path), sha256=sha256)
