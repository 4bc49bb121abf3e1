"""Progress on the terminal, from journal events: takes, masters, seconds of audio, time left."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

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
        self._stages: dict[str, _Stage] = {}
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
            case "take":
                self._advance("generate", entry["audio_seconds"])
            case "master":
                self._advance("master", entry["audio_seconds"])
            case "take-failed":
                self._advance("generate", 0.0, failed=1)
            case "failed":
                self._advance("master", 0.0, failed=1)

    def _begin(self, name: str, total: int, audio_seconds: float) -> None:
        stage = self._stages[name] = _Stage(total)
        stage.bar = self._bars.add_task(name, total=total, audio=stage.text)
        if self._bars.disable:
            self._console.print(f"{name}: {total} to make, {audio_seconds:.0f} s of audio", highlight=False)

    def _advance(self, name: str, audio_seconds: float, failed: int = 0) -> None:
        stage = self._stages.get(name)
        if stage is None:
            return
        stage.audio_s += audio_seconds
        stage.done += 1
        stage.failed += failed
        if stage.bar is not None:
            self._bars.update(stage.bar, advance=1, audio=stage.text)
        if self._bars.disable and time.monotonic() - self._last_line > _LINE_EVERY_S:
            self._last_line = time.monotonic()
            lines = (
                f"{name} {stage.done} of {stage.total}, {stage.text}" for name, stage in self._stages.items()
            )
            self._console.print(f"  {'; '.join(lines)}", highlight=False)


@dataclass(slots=True)
class _Stage:
    """How far generating or mastering is; both go on at the same time."""

    total: int
    done: int = 0
    failed: int = 0
    audio_s: float = 0.0
    bar: TaskID | None = None

    @property
    def text(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.audio_s:.0f} s of audio{failed}"
