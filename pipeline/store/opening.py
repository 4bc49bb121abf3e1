"""From what a person gives as ``--outputs`` to the backend that keeps files there."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.errors import UsageError
from pipeline.store import lazy_imports
from pipeline.store.backend import Backend
from pipeline.store.local import LocalBackend
from pipeline.store.os_errors import translate_os_errors

_HALF_URL = re.compile(r"(?:s3a?|gcs?|gs|memory|file):(?!//)", re.IGNORECASE)


def open_backend(root: str | Path) -> Backend:
    """The backend of a folder or a URL; nothing is made before something is written.

    Raises `UsageError` where a file stands, for an empty name, for a URL without its ``//`` and for a path that
    is not UTF-8; `MachineError` for a folder that may not be read, and for a protocol that is unknown or not
    installed.
    """
    text = str(root)
    if not text.strip():
        raise UsageError("--outputs is empty; give a folder or a URL such as s3://bucket/prefix")
    if _HALF_URL.match(text):
        raise UsageError(
            f"{text} is neither a URL nor a folder's name; write {text.partition(':')[0].lower()}://..., "
            f"or ./{text} for a folder of this name"
        )
    if "://" in text:
        parts = urlsplit(text)
        if parts.scheme != "file":
            return lazy_imports.open_remote(parts.scheme + text[text.index(":") :])
        root = _file_path(parts.netloc, unquote(parts.path))
    path = Path(os.path.abspath(root))
    check_utf8(path, "--outputs")
    with translate_os_errors("open", str(path)):
        if path.exists() and not path.is_dir():
            raise UsageError(
                f"{path} is a file; give a folder or a URL such as s3://bucket/prefix as --outputs"
            )
        if path.exists() and not os.access(path, os.R_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "permission denied")
    return LocalBackend(path)


def check_utf8(path: Path, what: str) -> None:
    """Raises `UsageError` where ``path`` has bytes that are not UTF-8: no record could name it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")
        raise UsageError(
            f"{what} {shown}: this path is not UTF-8; rename the folder or file, or use another"
        ) from None


def _file_path(host: str, path: str) -> str:
    """``/C:/sounds`` and ``//server/share`` of file URLs as Windows writes them; other paths as they are."""
    if host and host != "localhost":
        return f"//{host}{path}"
    return path[1:] if re.match("/[A-Za-z]:", path) else path
