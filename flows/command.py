"""A build as the command line runs it: a Prefect API, progress on the terminal, then the flow."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from prefect.exceptions import TerminationSignal

from flows.api import prefect_api
from flows.build import build, planned
from flows.journal import listening
from flows.prepare import Prepared
from flows.progress import BuildProgress


def run_build(
    manifest: Path,
    outputs: str,
    profile: str | None,
    only: Sequence[str],
    devices: str,
    *,
    quiet: bool,
    prepared: Prepared | None = None,
) -> dict[str, Any]:
    """Run the build flow to its end; returns the object of ``build --json``.

    ``prepared`` is the plan to carry out; without it the flow makes its own.
    An interrupt or a termination ends all workers and raises KeyboardInterrupt.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        with BuildProgress(quiet) as progress, listening(progress), prefect_api(), planned(prepared):
            return build(str(manifest), outputs, profile, tuple(only), devices)
    except TerminationSignal:
        raise KeyboardInterrupt from None


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
