"""Run the build flow for the command line: with a Prefect API and progress on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, cast

from prefect.exceptions import TerminationSignal

from flows.api import prefect_api
from flows.build import NothingPublished, build, use_start
from flows.private_server import PrivateServer, masked
from flows.progress import BuildProgress
from pipeline.build.journal import listening
from pipeline.build.prepare import BuildRequest
from pipeline.build.start import Start, start_now


def run_build(
    request: BuildRequest,
    *,
    quiet: bool,
    plain: bool = False,
    run_id: str | None = None,
    start: Start | None = None,
    server: PrivateServer | None = None,
    warn: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Run the build flow and return the object of ``build --json``.

    ``start`` is what the command has begun; without its plan the flow makes one. ``server`` was started early.
    ``plain`` shows the progress as lines, also on a terminal. An interrupt ends all workers and raises
    KeyboardInterrupt, as SIGTERM does in the console script. ``warn`` receives errors that occur after the build is
    complete, such as a Prefect server that no longer answers.
    """
    complete: dict[str, Any] = {}
    try:
        start = start or start_now(request.max_minutes)
        with BuildProgress(quiet, plain=plain, began=start.began) as progress:

            def listen(entry: dict[str, Any]) -> None:
                progress(entry)
                if entry["event"] == "build-done":
                    complete.update(
                        {key: value for key, value in entry.items() if key not in ("at", "event")}
                    )

            with listening(listen), prefect_api(server), use_start(start):
                parameters = asdict(request) | {"manifest": str(request.manifest), "run_id": run_id}
                return cast("dict[str, Any]", build(**parameters))
    except NothingPublished as error:
        return error.result
    except TerminationSignal:
        raise KeyboardInterrupt from None
    except Exception as error:
        if not complete:
            raise
        reason = masked(str(error.__cause__ or error).partition("\n")[0])
        warn(f"warning: the build is complete, but Prefect could not record its end: {reason}")
        return complete
