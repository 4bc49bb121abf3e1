"""A private Prefect API for one build, for users who run no Prefect server.

If ``PREFECT_API_URL`` or the Prefect profile sets an API URL, a build uses that server. Otherwise it starts one on
loopback. That server ends with its parent, even if the parent is killed. Its database is a copy of an empty one in
the user's cache folder, so that only the first build on a machine waits for Prefect's migrations. The build locks
the server's folder while it runs; the next build removes folders without a holder of the lock.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import getproxies

import prefect
from filelock import FileLock, Timeout
from httpx import HTTPError
from platformdirs import user_cache_path
from prefect.client.orchestration import get_client
from prefect.events.clients import EventsClient, NullEventsClient, PrefectEventsClient
from prefect.events.worker import EventsWorker, emit_events_to_cloud
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_CLIENT_MAX_RETRIES,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_HOME,
    PREFECT_LOGGING_TO_API_ENABLED,
    get_current_settings,
    temporary_settings,
)

from pipeline.errors import MachineError
from pipeline.store.disk import write_atomically

_logger = logging.getLogger(__name__)
_PREFIX = "cuesmith-prefect-"
_LOCK = "lock"
_ANSWER_SECONDS = 10.0
_QUIET = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_UI_ENABLED": "false"}
_UNUSED_SERVICES = (
    "SCHEDULER",
    "LATE_RUNS",
    "FOREMAN",
    "PAUSE_EXPIRATIONS",
    "CANCELLATION_CLEANUP",
    "TRIGGERS",
    "EVENT_PERSISTER",
)


@contextlib.contextmanager
def prefect_api() -> Iterator[str]:
    """Yield the URL of the Prefect API that a flow in this context uses.

    Raises `MachineError` if the API does not answer, or ends while the flow runs.
    """
    configured = get_current_settings().api.url
    if configured:
        _check_answers(configured)
        remedy = "check that server, then run the same command again"
        # A copy, because `still_answers` may change a setting.
        _logger.info("using the Prefect API at %s", configured)
        with temporary_settings(), _brief_events(), _answering(configured, remedy):
            yield configured
        return
    _logger.info("starting a private Prefect API")
    with _home() as home, _server(home) as url:
        private = {
            PREFECT_API_URL: url,
            PREFECT_HOME: home,
            PREFECT_LOGGING_TO_API_ENABLED: False,
            # Nothing reads the heartbeat, and a flow waits up to a second for its thread to end.
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
            # A private server does not come back, and each retry waits twice as long as the last.
            PREFECT_CLIENT_MAX_RETRIES: 2,
        }
        remedy = f"check that {home.parent} has free space, then run the same command again"
        with (
            temporary_settings(private),
            _without_proxy(),
            _events_by(NullEventsClient),
            _answering(url, remedy),
        ):
            yield url


@contextlib.contextmanager
def _answering(url: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except HTTPError as error:
        what = str(error).partition("\n")[0]
        raise MachineError(
            f"the Prefect API at {url} failed while the build ran ({what}); "
            f"finished work is saved: {remedy} to continue"
        ) from error


@contextlib.contextmanager
def _without_proxy() -> Iterator[None]:
    """Bypass proxies for the private server: a studio's proxy cannot reach this machine's loopback."""
    proxies = getproxies()
    # On Windows and macOS, one proxy variable hides the proxies of the system settings, so set them all.
    changed = {f"{scheme}_proxy": url for scheme, url in proxies.items() if scheme != "no"}
    changed["no_proxy"] = ",".join(filter(None, [proxies.get("no"), "127.0.0.1"]))
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _events_by(client: type[EventsClient], **options: int) -> Iterator[None]:
    """Send Prefect's events with ``client``: at exit, a process sends the remaining events one by one."""
    EventsWorker.set_client_override(client, **options)
    try:
        yield
    finally:
        EventsWorker.set_client_override(None)


def _brief_events() -> contextlib.AbstractContextManager[None]:
    """Limit the attempts to send events to the user's server: from the third on, each takes a second."""
    if emit_events_to_cloud():
        return contextlib.nullcontext()
    return _events_by(PrefectEventsClient, reconnection_attempts=2)


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    """Create a folder for the private server and lock it while the build runs."""
    with _disk_errors():
        home = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        with FileLock(home / _LOCK):
            _remove_leftover_folders(home)
            yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _check_answers(url: str) -> None:
    with get_client(sync_client=True) as client:
        problem = client.api_healthcheck()
    if problem is not None:
        raise MachineError(
            f"the Prefect API at {url} does not answer ({problem}); start it, or unset PREFECT_API_URL "
            "(and api.url in the Prefect profile) to build with a private server"
        )


def still_answers() -> bool:
    """Whether the Prefect API of this context answers; if not, disable retries of later requests.

    Call it when only Prefect's record of the finished work is left to write: each retry waits twice as long.
    """
    with get_client(sync_client=True, httpx_settings={"timeout": _ANSWER_SECONDS}) as client:
        answers = client.api_healthcheck() is None
    if not answers:
        get_current_settings().client.max_retries = 0
    return answers


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"Prefect's server cannot write to the system's temporary folder: {error}; free some space there, "
            "or set TMPDIR (on Windows TEMP) to another folder"
        ) from error


@contextlib.contextmanager
def _server(home: Path) -> Iterator[str]:
    database = home / "prefect.db"
    empty = user_cache_path("cuesmith", appauthor=False) / f"prefect-{prefect.__version__}.db"
    migrated = os.path.isfile(empty)
    with _disk_errors():
        if migrated:
            shutil.copyfile(empty, database)
        log = (home / "server.log").open("w+b")
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "flows.api_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=_environment(home, database),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    url = ""
    try:
        url = process.stdout.readline().decode().strip()
        if not url:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines()
            raise MachineError(
                f"Prefect's server did not start: {lines[-1] if lines else 'it printed nothing'}; "
                f"set PREFECT_API_URL to your own server, or remove {empty} and try again"
            )
        if not migrated:
            _keep_empty(database, empty)
        yield url
    finally:
        process.stdin.close()
        if url:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
        process.kill()
        process.wait()
        process.stdout.close()
        log.close()


def _environment(home: Path, database: Path) -> dict[str, str]:
    package_root = str(Path(__file__).parents[1])
    paths = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        **_QUIET,
        **{f"PREFECT_SERVER_SERVICES_{service}_ENABLED": "false" for service in _UNUSED_SERVICES},
        "PREFECT_HOME": str(home),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{database.as_posix()}",
        "PYTHONPATH": os.pathsep.join(paths),
    }


def _keep_empty(database: Path, empty: Path) -> None:
    """Save a copy of the migrated database for the next build; ignore a cache that is not writable."""
    with contextlib.suppress(OSError, sqlite3.Error):
        empty.parent.mkdir(parents=True, exist_ok=True)
        with (
            contextlib.closing(sqlite3.connect(database)) as source,
            contextlib.closing(sqlite3.connect(":memory:")) as copy,
        ):
            source.backup(copy)
            write_atomically(empty, copy.serialize())


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
