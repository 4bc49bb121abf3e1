"""The start of a build's Prefect API, before Prefect itself is imported, which takes seconds.

`early_api` starts the process of a private server on loopback, so that it comes up while this process imports Prefect;
or, if ``PREFECT_API_URL`` names a server, asks whether that one answers. The private server ends with its parent, even
if the parent is killed. Its database is a copy of an empty one in the user's cache folder, so that only the first build
on a machine waits for Prefect's migrations. The build locks the server's folder while it runs; the next build removes
folders without a holder of the lock.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import IO

import httpx
from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from pipeline.errors import MachineError
from pipeline.store.disk import write_atomically

ANSWER_WITHIN_S = 3.0
"""How long a configured API may take to answer before a build gives up."""
API_URL = "PREFECT_API_URL"
WITHOUT_IT = f"unset {API_URL} (and api.url in the Prefect profile) to build with a private server"
"""What helps whatever is wrong with a configured API."""
_REFUSALS = (401, 403)
"""HTTP statuses of a server that wants a key first."""
_PREFIX = "cuesmith-prefect-"
_LOCK = "lock"
_UNUSED_SERVICES = (
    "SCHEDULER",
    "LATE_RUNS",
    "FOREMAN",
    "PAUSE_EXPIRATIONS",
    "CANCELLATION_CLEANUP",
    "TRIGGERS",
    "EVENT_PERSISTER",
)
_SETTINGS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_UI_ENABLED": "false",
    **{f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false" for service in _UNUSED_SERVICES},
}


class PrivateServer:
    """The process of a private server, from its start on."""

    def __init__(self, home: Path) -> None:
        """Start the process with the files of ``home``; `url` waits until it answers."""
        self.home = home
        self._database = home / "prefect.db"
        self._empty = user_cache_path("cuesmith", appauthor=False) / f"prefect-{version('prefect')}.db"
        self._migrated = os.path.isfile(self._empty)
        with _disk_errors():
            if self._migrated:
                shutil.copyfile(self._empty, self._database)
            self._log: IO[bytes] = (home / "server.log").open("w+b")
        self._url = ""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "flows.api_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self._environment(),
        )

    def url(self) -> str:
        """Wait until the server answers and return its URL. Raises `MachineError` if it does not start."""
        assert self._process.stdout is not None
        self._url = self._url or self._process.stdout.readline().decode().strip()
        if not self._url:
            self._log.seek(0)
            lines = self._log.read().decode(errors="replace").strip().splitlines()
            raise MachineError(
                f"Prefect's server did not start: {lines[-1] if lines else 'it printed nothing'}; "
                f"set {API_URL} to your own server, or remove {self._empty} and try again"
            )
        if not self._migrated:
            self._migrated = True
            self._keep_empty()
        return self._url

    def stop(self) -> None:
        """End the process. A second call does nothing."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        if self._url:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=10)
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def _environment(self) -> dict[str, str]:
        package_root = str(Path(__file__).parents[1])
        paths = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
            **_SETTINGS,
            # The copied database has Prefect's block types.
            "PREFECT_API_BLOCKS_REGISTER_ON_START": str(not self._migrated),
            "PREFECT_HOME": str(self.home),
            "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{self._database.as_posix()}",
            "PYTHONPATH": os.pathsep.join(paths),
        }

    def _keep_empty(self) -> None:
        """Save a copy of the migrated database for the next build; ignore a cache that is not writable."""
        with contextlib.suppress(OSError, sqlite3.Error):
            self._empty.parent.mkdir(parents=True, exist_ok=True)
            with (
                contextlib.closing(sqlite3.connect(self._database)) as source,
                contextlib.closing(sqlite3.connect(":memory:")) as copy,
            ):
                source.backup(copy)
                write_atomically(self._empty, copy.serialize())


@contextlib.contextmanager
def private_server() -> Iterator[PrivateServer]:
    """Start a private server, in a folder of its own; it ends with the context."""
    with _disk_errors():
        home = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        with FileLock(home / _LOCK):
            _remove_leftover_folders(home)
            server = PrivateServer(home)
            try:
                yield server
            finally:
                server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def early_api() -> Iterator[PrivateServer | None]:
    """Start a private server; or yield None if an API is configured, or if only Prefect can tell.

    Call it before the import of Prefect. Raises `MachineError` if ``PREFECT_API_URL`` names a server that does not
    answer.
    """
    skip_grammar()
    if url := os.environ.get(API_URL):
        check_answers(url)
    if url or _may_be_in_a_file():
        yield None
    else:
        with private_server() as server:
            yield server


def skip_grammar() -> None:
    """Let Prefect's import of ``jsonschema`` find no ``rfc3987_syntax``, which compiles a grammar for over a second.

    It is there if another package has installed it, such as Jupyter, and would only check IRIs in JSON Schemas.
    """
    sys.modules.setdefault("rfc3987_syntax", ModuleType("rfc3987_syntax"))


def check_answers(url: str) -> None:
    """Raise `MachineError` if no Prefect API answers at ``url``."""
    problems = [f"no answer within {ANSWER_WITHIN_S:.0f} s"]

    def ask() -> None:
        try:
            # The request has no secrets: Prefect's client checks the certificate and sends the user's key later.
            answer = httpx.get(f"{url.rstrip('/')}/health", timeout=ANSWER_WITHIN_S, verify=False)
            is_fine = not answer.is_error or answer.status_code in _REFUSALS
            problems[:] = [] if is_fine else [f"HTTP {answer.status_code} {answer.reason_phrase}"]
        except Exception as error:
            problems[:] = [str(error) or type(error).__name__]

    # A thread, because the timeout of a request does not limit the search for the host's address.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ANSWER_WITHIN_S)
    for problem in problems:
        raise no_answer(url, problem)


def no_answer(url: str, problem: object) -> MachineError:
    """Return the error for a configured API that does not answer."""
    reason = masked(f"the Prefect API at {url} does not answer ({problem})")
    return MachineError(f"{reason}; start it, check the address, which ends in /api, or {WITHOUT_IT}")


def masked(text: str) -> str:
    """``text`` with ``***`` instead of the password of each URL.

    >>> masked("no answer from https://user:secret@host/api")
    'no answer from https://user:***@host/api'
    """
    return re.sub(r":[^/\s]+@", ":***@", text)


def _may_be_in_a_file() -> bool:
    """Whether a file of the user's Prefect settings has an API URL; only Prefect knows which of them counts."""
    home = os.environ.get("PREFECT_HOME") or Path.home() / ".prefect"
    profiles = os.environ.get("PREFECT_PROFILES_PATH") or Path(home, "profiles.toml")
    for path in (Path(profiles), Path(".env")):
        with contextlib.suppress(OSError):
            if API_URL in path.read_text(encoding="utf-8", errors="replace"):
                return True
    return False


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"Prefect's server cannot write to the system's temporary folder: {error}; free some space there, "
            "or set TMPDIR (on Windows TEMP) to another folder"
        ) from error


def _remove_leftover_folders(home: Path) -> None:
    """Remove the folders of killed builds. A folder without a lock file belongs to a build that has just started."""
    for lock_file in home.parent.glob(f"{_PREFIX}*/{_LOCK}"):
        if lock_file.parent == home or lock_file.parent.is_symlink():
            continue
        with contextlib.suppress(OSError, Timeout):
            with FileLock(lock_file, timeout=0):
                pass
            # Remove after the lock is closed: Windows cannot remove an open file.
            shutil.rmtree(lock_file.parent, ignore_errors=True)
