"""The Prefect API of one build: the user's server, or a private one.

If ``PREFECT_API_URL`` or the Prefect profile sets an API URL, a build uses that server. Otherwise it uses a private one
on loopback, see `flows.private_server`.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from urllib.request import getproxies

from httpx import HTTPError, TimeoutException
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

from flows.private_server import ANSWER_WITHIN_S, WITHOUT_IT, PrivateServer, no_answer, private_server
from pipeline.errors import MachineError

_logger = logging.getLogger(__name__)
_ANSWER_SECONDS = 10.0


@contextlib.contextmanager
def prefect_api(server: PrivateServer | None = None) -> Iterator[str]:
    """Yield the URL of the Prefect API that a flow in this context uses.

    ``server`` is a private server that was started early; without it one is started if no API is configured. Raises
    `MachineError` if the API does not answer, or ends while the flow runs.
    """
    configured = get_current_settings().api.url
    if configured:
        if server:
            server.stop()
        _check_answers(configured)
        remedy = "check that server, then run the same command again"
        _logger.info("using the Prefect API at %s", configured)
        # A copy, because `api_answers` may change a setting.
        with temporary_settings(), _brief_events(), _answering(configured, remedy):
            yield configured
        return
    with contextlib.nullcontext(server) if server else private_server() as private:
        url = private.url()
        _logger.info("the private Prefect API answers at %s", url)
        settings = {
            PREFECT_API_URL: url,
            PREFECT_HOME: private.home,
            PREFECT_LOGGING_TO_API_ENABLED: False,
            # Nothing reads the heartbeat, and a flow waits up to a second for its thread to end.
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
            # A private server does not come back, and each retry waits twice as long as the last.
            PREFECT_CLIENT_MAX_RETRIES: 2,
        }
        remedy = f"check that {private.home.parent} has free space, then run the same command again"
        with (
            temporary_settings(settings),
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


def _check_answers(url: str) -> None:
    with (
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
        get_client(sync_client=True, httpx_settings={"timeout": ANSWER_WITHIN_S}) as client,
    ):
        problem = client.api_healthcheck()
        if problem is not None:
            raise no_answer(url, problem)
        try:
            client.raise_for_api_version_mismatch()
        except RuntimeError as error:
            if isinstance(error.__cause__, TimeoutException):
                # It has just answered, so it is busy; the flow's own client checks the version again.
                return
            # "Failed to reach API" if it is no Prefect server, or one of another major version.
            reason = "it is no Prefect server" if error.__cause__ else str(error)
            raise MachineError(
                f"the Prefect API at {url} cannot be used ({reason}); check the address, which ends in /api, and the "
                f"version of that server, or {WITHOUT_IT}"
            ) from error


def api_answers() -> bool:
    """Whether the Prefect API of this context answers; if not, disable retries of later requests.

    Call it when only Prefect's record of the finished work is left to write: each retry waits twice as long.
    """
    with get_client(sync_client=True, httpx_settings={"timeout": _ANSWER_SECONDS}) as client:
        answers = client.api_healthcheck() is None
    if not answers:
        get_current_settings().client.max_retries = 0
    return answers
