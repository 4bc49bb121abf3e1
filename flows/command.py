"""A build as the command line runs it: a Prefect API, progress on the terminal, then the flow."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from prefect.exceptions import TerminationSignal

from flows.api import prefect_api
from flows.build import build, planned
from flows.progress import BuildProgress
from pipeline.build.journal import listening
from pipeline.build.prepare import Prepared


def run_build(
    manifest: Path,
    outputs: str,
    profile: str | None,
    only: Sequence[str],
    devices: str,
    *,
    quiet: bool,
    run_id: str | None = None,
    prepared: Prepared | None = None,
    allow_removals: bool = False,
    warn: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Run the build flow to its end; returns the object of ``build --json``.

    ``prepared`` is the plan to carry out; without it the flow makes its own. An interrupt or a termination ends all
    workers and raises KeyboardInterrupt. What fails once the build is complete, such as a Prefect server that is gone,
    is said to ``warn``.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
    complete: dict[str, Any] = {}
    try:
        with BuildProgress(quiet) as progress:

            def listen(entry: dict[str, Any]) -> None:
                progress(entry)
                if entry["event"] == "build-done":
                    complete.update(
                        {key: value for key, value in entry.items() if key not in ("at", "event")}
                    )

            with listening(listen), prefect_api(), planned(prepared):
                return build(str(manifest), outputs, profile, tuple(only), devices, run_id, allow_removals)
    except TerminationSignal:
        raise KeyboardInterrupt from None
    except Exception as error:
        if not complete:
            raise
        reason = str(error.__cause__ or error).partition("\n")[0]
        warn(f"warning: the build is complete, but Prefect could not record its end: {reason}")
        return complete


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
