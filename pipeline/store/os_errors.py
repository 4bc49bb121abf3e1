"""What the operating system says when it refuses, in words that name the place and the remedy."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import CuesmithError, MachineError

_REMEDIES = {
    errno.ENOSPC: "no space is left; free some (`cuesmith gc` drops what nothing names) or change --outputs",
    errno.EDQUOT: "your disk quota is used up; free some space (`cuesmith gc`) or give another --outputs",
    errno.EACCES: "permission denied; give this account write access to the folder or another --outputs",
    errno.EPERM: "permission denied; give this account write access to the folder or another --outputs",
    errno.EROFS: "the file system is read-only; mount it writable or give another --outputs",
    errno.EIO: "the disk reports an error; check the disk, then run `cuesmith verify`",
    errno.ENAMETOOLONG: "the path is too long for this file system; give a shorter --outputs",
    errno.ENOTDIR: "a file stands where a folder must be; move it away or give another --outputs",
    errno.EEXIST: "a file or a broken link stands where a folder must be; move it away or give another --outputs",
    errno.EISDIR: "a folder stands where a file must be; move it away or give another --outputs",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n) or use fewer workers",
}


def explain(error: OSError, doing: str, where: str) -> MachineError:
    """``error`` as one line: what was tried, where, why it failed and what to do."""
    reason = _REMEDIES.get(error.errno or 0)
    if reason is None:
        reason = f"{error.strerror or error}; check the disk or network drive, then try again"
    return MachineError(f"cannot {doing} {where}: {reason}")


@contextmanager
def translate_os_errors(doing: str, where: str) -> Iterator[None]:
    """Turn every `OSError` inside into a `MachineError` about ``doing`` something at ``where``."""
    try:
        yield
    except CuesmithError:
        raise
    except OSError as error:
        raise explain(error, doing, where) from error
