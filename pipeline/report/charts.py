"""Figures for people: numbers and shapes of the charts on top of the report; the page's template draws them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.provenance import MasterRecord, MasterRow

_HISTOGRAM_LU = 8
_HISTORY_WIDTH, _HISTORY_HEIGHT = 220.0, 64.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar with its label and its text; ``share`` of the longest, 0 to 1."""

    label: str
    text: str
    share: float
    value: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through points, in the units of its own box."""

    width: float
    height: float
    line: str
    """SVG path."""
    area: str
    last: tuple[float, float]
    first_label: str
    last_label: str


def stage_bars(build: Mapping[str, Any]) -> list[Bar]:
    """Wall-clock time of each stage of the build, in the order in which they ran."""
    stages = build.get("stages") or {}
    return _bars([(name, float(seconds), duration(float(seconds))) for name, seconds in stages.items()])


def compute_bars(records: Iterable[MasterRecord], run: str) -> list[Bar]:
    """Device time that each model took for the takes of this run, longest first."""
    spent: dict[str, float] = {}
    seen: set[str] = set()
    for record in records:
        take = record["take"]
        if take["made"]["run"] != run or take["digest"] in seen:
            continue
        seen.add(take["digest"])
        device = take["made"]["device"].partition(":")[0].upper()
        name = f"{take['model']['id']} · {device}"
        spent[name] = spent.get(name, 0.0) + take["made"]["seconds"]
    longest_first = sorted(spent.items(), key=lambda item: -item[1])
    return _bars([(name, seconds, duration(seconds)) for name, seconds in longest_first])


def deviation_bars(rows: Iterable[MasterRow]) -> list[Bar]:
    """How far masters are from their loudness target: counts per whole LU, from -8 (and below) to +8 (and above)."""
    counts: Counter[int] = Counter()
    for row in rows:
        if row["loudness_lufs"] is not None and row["loudness_method"] != "peak":
            off = round(row["loudness_lufs"] - row["target_lufs"])
            counts[max(-_HISTOGRAM_LU, min(_HISTOGRAM_LU, off))] += 1
    span = range(-_HISTOGRAM_LU, _HISTOGRAM_LU + 1)
    return _bars([(f"{off:+d}" if off else "0", counts[off], str(counts[off])) for off in span])


def size_curve(sizes: Sequence[tuple[int, int, float]]) -> Curve | None:
    """Masters in each version; None before there are two."""
    if len(sizes) < 2:
        return None
    highest = max(masters for _, masters, _ in sizes) or 1
    step = _HISTORY_WIDTH / (len(sizes) - 1)
    points = [
        (round(i * step, 1), round(_HISTORY_HEIGHT * (1 - 0.92 * masters / highest), 1))
        for i, (_, masters, _) in enumerate(sizes)
    ]
    line = "M" + " L".join(f"{x} {y}" for x, y in points)
    area = f"{line} L{_HISTORY_WIDTH} {_HISTORY_HEIGHT} L0 {_HISTORY_HEIGHT} Z"
    (first, had, _), (last, has, _) = sizes[0], sizes[-1]
    return Curve(
        _HISTORY_WIDTH,
        _HISTORY_HEIGHT,
        line,
        area,
        points[-1],
        f"v{first}: {had}",
        f"v{last}: {has}",
    )


def duration(seconds: float) -> str:
    """A time for people.

    >>> [duration(s) for s in (0.42, 9.4, 83, 7300)]
    ['0.4 s', '9.4 s', '1:23 min', '2:01 h']
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


def _bars(values: Sequence[tuple[str, float, str]]) -> list[Bar]:
    longest = max((value for _, value, _ in values), default=0.0) or 1.0
    return [Bar(label, text, round(value / longest, 4), value) for label, value, text in values]
