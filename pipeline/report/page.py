"""The page: charts, template, style and scripts in one file that needs nothing else and lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, FunctionLoader, Template
from markupsafe import Markup

from pipeline.catalog import Place
from pipeline.provenance import MasterRecord, master_name

_HISTORY_WIDTH, _HISTORY_HEIGHT = 220.0, 64.0


class Bar(NamedTuple):
    """One bar with its label and text; ``share`` is its length relative to the longest, 0 to 1."""

    label: str
    text: str
    share: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through points in a box of ``width`` and ``height``."""

    width: float
    height: float
    line: str
    """SVG path."""
    area: str
    last: tuple[float, float]
    first_label: str
    last_label: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Variations of one asset that failed for the same reason: pairs of a name and the address of its sound.

    The address is the value of ``sound`` in the address of the page; None if there is no sound to open.
    """

    reason: str
    sounds: list[tuple[str, str | None]]


def stage_bars(build: Mapping[str, Any]) -> list[Bar]:
    """Wall-clock time of each stage of the build, in their order."""
    stages = build.get("stages") or {}
    return _bars([(name, float(seconds), duration(float(seconds))) for name, seconds in stages.items()])


def device_bars(build: Mapping[str, Any]) -> list[Bar]:
    """Share of the slots of each device that were in use while the build generated."""
    devices = (build.get("generate") or {}).get("devices") or []
    return _bars(
        [
            (
                f"{use['device']} · {use['takes']} takes",
                float(use["slot_use"]),
                f"{use['slot_use']:.0%} of {use['slots']}, idle {duration(float(use['idle_seconds']))}",
            )
            for use in devices
        ]
    )


def compute_bars(records: Iterable[MasterRecord], run: str) -> list[Bar]:
    """Device time of each model for the takes of this run, longest first."""
    takes = {record["take"]["digest"]: record["take"] for record in records}
    spent: dict[str, float] = defaultdict(float)
    for take in takes.values():
        if take["made"]["run"] == run:
            device = take["made"]["device"].partition(":")[0].upper()
            spent[f"{take['model']['id']} · {device}"] += take["made"]["seconds"]
    longest_first = sorted(spent.items(), key=lambda item: -item[1])
    return _bars([(name, seconds, duration(seconds)) for name, seconds in longest_first])


def failures_by_asset(
    failed: Iterable[Mapping[str, Any]], quarantined: Iterable[Mapping[str, Any]], listed: Container[Place]
) -> dict[str, list[Failure]]:
    """What has no new master in the version. A variation that is quarantined counts as that alone.

    ``failed`` are the build's failures, ``quarantined`` the page's entries, ``listed`` the variations of the version.
    """
    found: dict[tuple[str, str], Failure] = {}

    def add(place: Place, reason: str, address: str | None) -> None:
        failure = found.setdefault((place[0], reason), Failure(reason, []))
        failure.sounds.append((master_name(*place), address))

    held = set()
    for entry in quarantined:
        place = (entry["asset"], entry["variation"])
        held.add(place)
        gates = ", ".join(gate["what"] for gate in entry["quarantined"])
        add(place, f"quarantined: {gates}" if gates else "quarantined", f"quarantined:{master_name(*place)}")
    for item in failed:
        place = (item["asset"], item["variation"])
        if place not in held:
            add(place, f"{item['stage']}: {item['reason']}", master_name(*place) if place in listed else None)
    by_asset: dict[str, list[Failure]] = {}
    for asset, reason in sorted(found):
        by_asset.setdefault(asset, []).append(found[asset, reason])
    return by_asset


def size_curve(sizes: Sequence[tuple[int, int]]) -> Curve | None:
    """Number of masters in each version; None for fewer than two versions."""
    if len(sizes) < 2:
        return None
    highest = max(masters for _, masters in sizes) or 1
    step = _HISTORY_WIDTH / (len(sizes) - 1)
    points = [
        (round(i * step, 1), round(_HISTORY_HEIGHT * (1 - 0.92 * masters / highest), 1))
        for i, (_, masters) in enumerate(sizes)
    ]
    line = "M" + " L".join(f"{x} {y}" for x, y in points)
    area = f"{line} L{_HISTORY_WIDTH} {_HISTORY_HEIGHT} L0 {_HISTORY_HEIGHT} Z"
    first, last = (f"v{version}: {masters}" for version, masters in (sizes[0], sizes[-1]))
    return Curve(_HISTORY_WIDTH, _HISTORY_HEIGHT, line, area, points[-1], first, last)


def duration(seconds: float) -> str:
    """A time in seconds, minutes or hours.

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
    return [Bar(label, text, round(value / longest, 4)) for label, value, text in values]


_IMPORT = re.compile(r'^import [^;]*"\./([^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:const|function|async function|class) (\w+))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PageParts:
    """The files of one kind of page."""

    template: str
    script: str
    """The module that starts the page; it imports the others."""
    styles: tuple[str, ...]


REPORT = PageParts("report.html.j2", "main.js", ("style.css", "finding.css", "sound.css"))
AUDITION = PageParts("audition.html.j2", "audition.js", ("style.css", "audition.css"))


def render(facts: Mapping[str, Any], data: Mapping[str, Any], parts: PageParts = REPORT) -> str:
    """The page as HTML; ``facts`` are for the template, ``data`` is for the scripts."""
    code, style = script_text(parts.script), "".join(map(_text, parts.styles))
    return _template(parts.template).render(
        **facts, data=data, policy=policy(code, style), style=Markup(style), code=Markup(code)
    )


def policy(code: str, style: str) -> str:
    """The Content-Security-Policy: our script and style by their hashes, sounds and sidecars beside the page.

    ``strict-dynamic`` lets only our script add the script elements of sidecars; a page from disk has no origin to name
    instead.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(code)}' 'strict-dynamic'",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "media-src 'self' file:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


@lru_cache(maxsize=2)
def script_text(start: str) -> str:
    """The module ``start`` and all that it imports, as one script.

    Each module is in a scope of its own that returns its exports, after the modules that it imports.
    """
    scopes: dict[str, str] = {}

    def add(name: str) -> None:
        module = _text(name)
        for imported in _IMPORT.findall(module):
            if imported not in scopes:
                add(imported)
        scopes[name] = _scoped(module)

    add(start)
    return "\n".join(scopes.values())


def _scoped(module: str) -> str:
    """A module without its imports and exports.

    >>> print(_scoped('import { b } from "./b.js";\\nexport const a = b;\\n'))
    const { a } = (() => {
    const a = b;
    return { a };
    })();
    """
    names = ", ".join(match[2] for match in _EXPORT.finditer(module))
    body = _EXPORT.sub(r"\1", _IMPORT.sub("", module)).rstrip()
    return f"const {{ {names} }} = (() => {{\n{body}\nreturn {{ {names} }};\n}})();"


@lru_cache(maxsize=2)
def _template(name: str) -> Template:
    loader = FunctionLoader(_text)
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.globals["master_name"] = master_name
    return environment.get_template(name)


def _text(name: str) -> str:
    return files(__package__).joinpath("page", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
