"""Progress on the terminal, from journal events: takes, masters, seconds of audio, time left."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from pipeline.plan import Stage

_LINE_EVERY_S = 10.0


class BuildProgress:
    """Show the progress of a build from its journal: bars on a terminal, otherwise a line every ten seconds."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._bars = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TextColumn("{task.fields[audio]}"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            # A dumb terminal (in an editor, on a serial line) would show bars only when they are full.
            disable=quiet or not sys.stderr.isatty() or self._console.is_dumb_terminal,
        )
        self._stage: TaskID | None = None
        self._mastering = False
        self._audio = 0.0
        self._done = 0
        self._total = 0
        self._failed = 0
        self._last_line = time.monotonic()

    def __enter__(self) -> BuildProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, entry: dict[str, Any]) -> None:
        """Show one journal event."""
        match entry["event"]:
            case "generate-began" if entry["takes"]:
                self._begin("generate", entry["takes"], entry["audio_seconds"])
            case "master-began" if entry["masters"]:
                self._begin("master", entry["masters"], entry["audio_seconds"])
            case "take" | "master":
                self._advance(entry["audio_seconds"])
            case "take-failed":
                self._failed += 1
                self._advance(0.0)
            case "failed" if self._mastering and entry["stage"] in (Stage.MASTER, Stage.QUALITY):
                self._failed += 1
                self._advance(0.0)

    def _begin(self, stage: str, total: int, audio_seconds: float) -> None:
        self._audio, self._done, self._total = 0.0, 0, total
        self._mastering = stage == "master"
        self._stage = self._bars.add_task(stage, total=total, audio=self._audio_text())
        if self._bars.disable:
            self._console.print(f"{stage}: {total} to make, {audio_seconds:.0f} s of audio", highlight=False)

    def _advance(self, audio_seconds: float) -> None:
        if self._stage is None:
            return
        self._audio += audio_seconds
        self._done += 1
        self._bars.update(self._stage, advance=1, audio=self._audio_text())
        if self._bars.disable and time.monotonic() - self._last_line > _LINE_EVERY_S:
            self._last_line = time.monotonic()
            self._console.print(f"  {self._done} of {self._total}, {self._audio_text()}", highlight=False)

    def _audio_text(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._audio:.0f} s of audio{failed}"
