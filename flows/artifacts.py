"""What Prefect shows of a build besides its tasks and its log: a name, progress, a summary and what changed."""

from __future__ import annotations

import logging
import threading
import time
from contextvars import copy_context
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext

from pipeline.build.ci import build_summary
from pipeline.build.plan_rows import changed_rows
from pipeline.build.prepare import Prepared

_UPDATE_SECONDS = 10.0
_logger = logging.getLogger(__name__)
SUMMARY_KEY, CHANGES_KEY, REPORT_KEY, PROGRESS_KEY = (
    "cuesmith-build",
    "cuesmith-changes",
    "cuesmith-report",
    "cuesmith-progress",
)


class ProgressArtifact:
    """A listener of the journal that shows in Prefect how far a build is. A build of a few seconds shows none."""

    def __init__(self) -> None:
        self._artifact: UUID | None = None
        self._thread: threading.Thread | None = None
        self._is_lost = False
        self._last = time.monotonic()
        self._takes = self._masters = self._done = 0

    def __call__(self, entry: dict[str, Any]) -> None:
        """Receive one event of the journal."""
        match entry["event"]:
            case "build-began":
                actions = entry["totals"]["actions"]
                self._takes = sum(line["takes"] for line in entry["totals"]["generate"])
                self._masters = actions["generate"] + actions["re-master"]
            case "take" | "take-failed" | "master" | "failed":
                self._done += 1
                self._update()

    def _update(self) -> None:
        is_busy = self._thread is not None and self._thread.is_alive()
        if is_busy or self._is_lost or time.monotonic() - self._last < _UPDATE_SECONDS:
            return
        self._last = time.monotonic()
        percent = min(100.0, 100.0 * self._done / max(self._takes + self._masters, 1))
        # In a thread of its own, because a server that does not answer must not hold up the build.
        self._thread = threading.Thread(target=copy_context().run, args=(self._send, percent), daemon=True)
        self._thread.start()

    def _send(self, percent: float) -> None:
        try:
            if self._artifact is None:
                created: Any = create_progress_artifact(
                    percent, PROGRESS_KEY, "Takes and masters that are done"
                )
                self._artifact = created
            else:
                update_progress_artifact(self._artifact, progress=percent)
        except Exception as error:
            self._is_lost = True
            _logger.warning("Prefect does not show the progress any more: %s", type(error).__name__)


def show_result(prepared: Prepared, result: dict[str, Any]) -> None:
    """Write the artifacts of a build, and add its version to the name of the flow run."""
    changes = changed_rows(prepared, result)
    lines = build_summary(prepared.project.name, result, changes)
    create_markdown_artifact("\n".join(lines), SUMMARY_KEY, "Result of the build")
    if changes:
        rows = [{"sound": name, "change": action, "why": why} for name, action, why in changes]
        create_table_artifact(rows, CHANGES_KEY, "Sounds that the build made, changed or removed")
    if result["report"]:
        path = prepared.store.backend.local_path(result["report"])
        link = path.as_uri() if path else f"{prepared.store.root.rstrip('/')}/{result['report']}"
        create_link_artifact(link, "the report", REPORT_KEY, "Listen, compare and review")
    context = FlowRunContext.get()
    if context and context.flow_run and result["version"] is not None:
        profile = prepared.project.profile or "default"
        name = f"{prepared.project.name} · {profile} · v{result['version']}"
        with get_client(sync_client=True) as client:
            client.update_flow_run(context.flow_run.id, name=name)
