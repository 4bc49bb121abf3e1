"""Progress on the terminal, from journal events: bars on a terminal, otherwise lines."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from flows.stages import BuildState, StageName, heading

_LINE_EVERY_S = 10.0


class BuildProgress:
    """Show the progress of a build from its journal.

    On a terminal: a bar for each stage, the time left, and what is made now. Otherwise, or if ``plain``: a line for
    each stage, and one every ten seconds. Failures are lines at once. ``quiet`` shows nothing. ``began`` is when the
    build began, by `time.monotonic`.
    """

    def __init__(self, quiet: bool = False, *, plain: bool = False, began: float | None = None) -> None:
        self._state = BuildState(time.monotonic() if began is None else began)
        self._is_quiet = quiet
        console = Console(stderr=True, highlight=False, markup=False)
        # A dumb terminal (in an editor, on a serial line) would show bars only when they are full.
        has_bars = not (quiet or plain or console.is_dumb_terminal) and sys.stderr.isatty()
        self._bars = _Bars(self._state, console) if has_bars else None
        self._last_line = time.monotonic()
        self._lock = threading.Lock()

    def __enter__(self) -> BuildProgress:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.end()

    def __call__(self, entry: dict[str, Any]) -> None:
        """Show one journal event."""
        if self._is_quiet:
            return
        with self._lock:
            lines = self._state.update(entry)
            if self._bars:
                self._bars.show(lines)
            else:
                self._print(lines)

    def _print(self, lines: Iterable[str]) -> None:
        for line in lines:
            print(line, file=sys.stderr, flush=True)
        if self._state.stages and time.monotonic() - self._last_line > _LINE_EVERY_S:
            self._last_line = time.monotonic()
            print(f"  {self._state.summary()}", file=sys.stderr, flush=True)


class _Bars(Progress):
    """A bar for each stage and a line below: the time left, what is made now."""

    def __init__(self, state: BuildState, console: Console) -> None:
        self._state = state
        self._tasks_of: dict[StageName, TaskID] = {}
        self._has_ended = False
        super().__init__(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=32 if console.width >= 80 else 12),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            console=console,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """See `rich.progress.Progress`."""
        yield self.make_tasks_table(self.tasks)
        if self._tasks_of and not self._has_ended:
            yield Text(self._state.status(self.console.width - 1), style="dim", no_wrap=True)

    def show(self, lines: Iterable[str]) -> None:
        """Update the bars; print failures above them."""
        for line in lines:
            if line.startswith("failed: "):
                self.console.print(Text.assemble(("failed: ", "red"), line.removeprefix("failed: ")))
        for name, stage in self._state.stages.items():
            text = "" if name == "Publish" else stage.text
            if name not in self._tasks_of and stage.total:
                self._tasks_of[name] = self.add_task(heading(name), total=stage.total, text=text)
            elif name in self._tasks_of:
                self.update(self._tasks_of[name], completed=stage.done, text=text)

    def end(self) -> None:
        """Leave the bars on the screen as they are now."""
        self._has_ended = True
        self.stop()
