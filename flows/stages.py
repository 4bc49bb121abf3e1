"""The stages of a build as text: how far each is, what is made now, what failed, how much time is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

StageName = Literal["Plan", "Generate", "Master", "Publish"]
STAGES: tuple[StageName, ...] = ("Plan", "Generate", "Master", "Publish")
_LEAST_PACE, _MOST_PACE = 0.2, 20.0
"""Limits of how many times longer than estimated a build takes, against odd first items."""


def heading(stage: StageName) -> str:
    """Return the name of a stage with its number.

    >>> heading("Generate")
    '2/4 Generate'
    """
    return f"{STAGES.index(stage) + 1}/{len(STAGES)} {stage}"


def rounded_duration(seconds: float) -> str:
    """Format an estimated time, in steps that a person can use.

    >>> [rounded_duration(value) for value in (0.2, 7.4, 43, 95, 700, 8000)]
    ['1 s', '7 s', '45 s', '1 min 40 s', '12 min', '2 h 13 min']
    """
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 300:
        step = 5 if seconds < 60 else 10
        minutes, rest = divmod(step * round(seconds / step), 60)
        return " ".join([f"{minutes} min"] * bool(minutes) + [f"{rest} s"] * bool(rest))
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


@dataclass(slots=True)
class Stage:
    """How far one stage is."""

    total: int
    audio_s: float = 0.0
    """Seconds of audio to make."""
    done: int = 0
    """Items with an outcome, failed ones included."""
    failed: int = 0
    made_s: float = 0.0
    """Seconds of audio made."""

    @property
    def share(self) -> float:
        """The share of the stage's work that is done, 0 to 1; by audio, and by items for what failed."""
        failed = self.failed / self.total if self.total else 0.0
        made = self.made_s / self.audio_s if self.audio_s else (self.done - self.failed) / (self.total or 1)
        return min(1.0, made + failed) if self.done < self.total else 1.0

    @property
    def text(self) -> str:
        """Seconds of audio made, and failures."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.made_s:.0f} s of audio{failed}"


@dataclass(slots=True)
class BuildState:
    """The state of a build, from the events of its journal. Only one thread may use it at a time."""

    began: float
    """When the build began, as ``clock`` tells it."""
    clock: Callable[[], float] = time.monotonic
    stages: dict[StageName, Stage] = field(default_factory=dict)
    current: dict[str, str] = field(default_factory=dict)
    """What workers are making now: an asset or a master, by the item's digest."""
    _estimate: dict[str, float] = field(default_factory=dict)
    _work_began: float = 0.0
    _publish_began: float = 0.0
    _changed: float = 0.0
    """When the last item ended."""
    _announced: set[StageName] = field(default_factory=set)

    def update(self, entry: dict[str, Any]) -> list[str]:
        """Take one event of the journal; return the lines to show: a stage that begins, something that failed."""
        match entry["event"]:
            case "generate-began":
                return self._begin_work(entry)
            case "master-began":
                self.stages["Master"] = Stage(entry["masters"], entry["audio_seconds"])
            case "began":
                self.current[entry["item"]] = entry["name"]
                return self._announce("Master") if entry["stage"] == "master" else []
            case "ended":
                self.current.pop(entry["item"], None)
            case "take":
                self._advance("Generate", entry["audio_seconds"])
            case "master":
                self._advance("Master", entry["audio_seconds"])
            case "take-failed":
                self._advance("Generate", failed=1)
                return [f"failed: {', '.join(entry['assets'])} (generate): {entry['reason']}"]
            case "failed":
                self._advance("Master", failed=1)
                if entry["stage"] != "generate":
                    name = f"{entry['asset']} variation {entry['variation']}"
                    return [f"failed: {name} ({entry['stage']}): {entry['reason']}"]
            case "publish-began":
                self._publish_began = self.clock()
                self.stages["Publish"] = Stage(1)
                return self._announce("Publish")
            case "build-done" if "Publish" in self.stages:
                self.stages["Publish"].done = 1
        return []

    def _begin_work(self, entry: dict[str, Any]) -> list[str]:
        self.stages["Generate"] = Stage(entry["takes"], entry["audio_seconds"])
        self._estimate = entry["estimate"]
        self._work_began = self._changed = self.clock()
        return self._announce("Generate")

    def _announce(self, stage: StageName) -> list[str]:
        """The line that says that ``stage`` begins; nothing if it was said before."""
        if stage in self._announced or stage not in self.stages:
            return []
        self._announced.add(stage)
        state = self.stages[stage]
        match stage:
            case "Generate":
                work = f"{_counted(state.total, 'take')}, {state.audio_s:.0f} s of audio; {self.time_left()}"
            case "Master":
                work = _counted(state.total, "master")
            case _:
                work = "version, library and report"
        return [f"{heading(stage)}: {work}"]

    def _advance(self, stage: StageName, audio_seconds: float = 0.0, failed: int = 0) -> None:
        self._changed = self.clock()
        if state := self.stages.get(stage):
            # Masters that failed in an earlier build are not among those to make.
            state.done = min(state.total, state.done + 1)
            state.failed += failed
            state.made_s += audio_seconds

    def time_left(self) -> str:
        """The time until the end of the whole build, in words; empty if nothing is known."""
        seconds = self.seconds_left()
        return f"about {rounded_duration(seconds)} left" if seconds is not None else ""

    def seconds_left(self) -> float | None:
        """Estimate the seconds until the end of the build; None before the work begins.

        The estimate of the plan, which comes from earlier builds, counts at the start; the more is done, the more the
        pace of this build counts.
        """
        if not self._estimate:
            return None
        now = self.clock()
        overhead = self._estimate["overhead_seconds"]
        rest = max(overhead - (self._work_began - self.began), 0.1 * overhead)
        if self._publish_began:
            return max(rest - (now - self._publish_began), 0.0)
        busy = max(self._estimate["seconds"] - overhead, 0.0)
        share = self._share()
        elapsed = self._changed - self._work_began
        pace = min(max(elapsed / (share * busy), _LEAST_PACE), _MOST_PACE) if share * busy else 1.0
        left = (1.0 - share) * busy * (1.0 + share * (pace - 1.0))
        # Between two outcomes the clock runs on, but one long item does not end the build.
        return max(left - (now - self._changed), 0.25 * left) + rest

    def _share(self) -> float:
        """The share of generating and mastering that is done, 0 to 1, by their estimated times."""
        weights = {
            "Generate": self._estimate["generate_seconds"],
            "Master": self._estimate["master_seconds"],
        }
        shares = [
            (weight, self.stages[name].share) for name, weight in weights.items() if name in self.stages
        ]
        total = sum(weight for weight, _ in shares)
        return sum(weight * share for weight, share in shares) / total if total else 0.0

    def summary(self) -> str:
        """One line for a log: how far generating and mastering are, and the time left."""
        parts = [
            f"{name.lower()} {stage.done} of {stage.total}, {stage.text}"
            for name, stage in self.stages.items()
            if name != "Publish" and stage.total
        ]
        return "; ".join(filter(None, [*parts, self.time_left()]))

    def status(self, width: int) -> str:
        """One line of at most ``width`` columns: the time left, and as many names of what is made now as fit."""
        left = self.time_left()
        room = width - len(left) - 2
        names = _fitting(dict.fromkeys(list(self.current.values())), room - len("now: "))
        return "  ".join(filter(None, [left, f"now: {names}" if names else ""]))


def _fitting(names: Iterable[str], width: int) -> str:
    """``names`` with commas between; those that do not fit in ``width`` are counted, and none is cut.

    >>> _fitting(["ui/click", "ui/hover", "music/theme"], 30)
    'ui/click, ui/hover, 1 more'
    """
    names = list(names)
    for shown in range(len(names), 0, -1):
        hidden = len(names) - shown
        text = ", ".join([*names[:shown], *([f"{hidden} more"] if hidden else [])])
        if len(text) <= width:
            return text
    return ""


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
