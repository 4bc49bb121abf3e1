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
from flows.build import build
from flows.journal import listening
from flows.progress import BuildProgress


def run_build(
    manifest: Path,
    outputs: str,
    profile: str | None,
    only: Sequence[str],
    devices: str,
    *,
    quiet: bool,
    allow_removals: bool = False,
) -> dict[str, Any]:
    """Run the build flow to its end; returns the object of ``build --json``.

    An interrupt or a termination ends all workers and raises KeyboardInterrupt.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        with BuildProgress(quiet) as progress, listening(progress), prefect_api():
            return build(str(manifest), outputs, profile, tuple(only), devices, allow_removals)
    except TerminationSignal:
        raise KeyboardInterrupt from None


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
