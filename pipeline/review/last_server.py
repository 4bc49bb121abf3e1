"""Port and token of a store's last review server, so that pages that are open find the next one."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from pipeline.recipe import digest
from pipeline.store.disk import write_atomically

_VALID_SECONDS = 86_400.0


@dataclass(frozen=True)
class LastServer:
    """Port and token in a file that only this account can read."""

    path: Path
    port: int = 0
    """0 if no server ran within the last day."""
    token: str = ""
    """Empty if no server ran within the last day."""

    @classmethod
    def of(cls, root: str) -> LastServer:
        """The last server of the store at ``root``."""
        place = root if "://" in root else os.path.realpath(root)
        name = digest({"store": place})[:32]
        path = user_cache_path("cuesmith", appauthor=False) / "review" / f"{name}.json"
        try:
            if not _is_ours(path):
                return cls(path)
            value = json.loads(path.read_bytes())
            return cls(path, int(value["port"]), str(value["token"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return cls(path)

    def remember(self, port: int, token: str) -> None:
        """Write port and token. If that fails, the next server starts with new ones."""
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for other in self.path.parent.glob("*.json"):
                if not _is_ours(other):
                    other.unlink()
            write_atomically(self.path, json.dumps({"port": port, "token": token}).encode(), private=True)


def _is_ours(path: Path) -> bool:
    """Whether ``path`` is a young file that nobody else can read. Raises `OSError`."""
    facts = path.lstat()
    young = time.time() - facts.st_mtime < _VALID_SECONDS
    private = os.name == "nt" or (facts.st_uid == os.getuid() and not stat.S_IMODE(facts.st_mode) & 0o077)
    return young and private and stat.S_ISREG(facts.st_mode)
