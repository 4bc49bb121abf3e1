"""Reports for continuous integration: annotations, JUnit XML and summaries in Markdown.

Plain functions from values to text; the limits of each service are kept here. Sources:
GitHub's "Workflow commands" (10 error and 10 warning annotations a step; a step summary of at most 1 MiB; a comment of
at most 65,536 characters) and the schema ``junit-10.xsd`` of the Jenkins xUnit plugin.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

from pipeline.manifest.problems import list_names
from pipeline.provenance import name_of

Level = Literal["error", "warning"]
ANNOTATIONS_A_LEVEL = 10
"""GitHub shows no more annotations of one level from one step."""
COMMENT_CHARACTERS = 65_536
"""Longest comment on a pull request."""
SUMMARY_BYTES = 1 << 20
"""Longest summary of a step; GitHub drops a longer one."""
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable that names the file of a step's summary."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Annotation:
    """A message that a service shows beside a line of a file."""

    level: Level
    title: str
    message: str
    file: str | None = None
    """Relative to the repository, with ``/``; None for a message without a place."""
    line: int | None = None
    """Counted from 1."""


@dataclass(frozen=True, slots=True)
class Case:
    """One variation as a JUnit test case."""

    asset: str
    name: str
    """Such as ``explore_01``."""
    failure: tuple[str, str] | None = None
    """The stage that failed (``generate``, ``master`` or ``quality``), and why."""
    skipped: str | None = None
    """Why its present master is not the one that the manifest asks for, such as a lock."""


def repository_path(path: Path) -> str:
    """``path`` as GitHub's annotations name it: relative to ``GITHUB_WORKSPACE`` or the working directory, with ``/``.

    A path outside that folder stays absolute.
    """
    folder = Path(os.environ.get("GITHUB_WORKSPACE") or os.getcwd()).resolve()
    whole = path.resolve()
    return (whole.relative_to(folder) if whole.is_relative_to(folder) else whole).as_posix()


def github_commands(annotations: Iterable[Annotation]) -> Iterator[str]:
    """Workflow commands, one a line, that make GitHub show ``annotations``.

    Of more than `ANNOTATIONS_A_LEVEL` of a level, the last one counts the rest, because GitHub drops those silently.

    >>> list(github_commands([Annotation("error", "duration", "50%: too long", "m.yaml", 3)]))
    ['::error file=m.yaml,line=3,title=duration::50%25: too long']
    """
    by_level: dict[Level, list[Annotation]] = {}
    for annotation in annotations:
        by_level.setdefault(annotation.level, []).append(annotation)
    for level, listed in by_level.items():
        shown = listed if len(listed) <= ANNOTATIONS_A_LEVEL else listed[: ANNOTATIONS_A_LEVEL - 1]
        yield from map(_command, shown)
        if len(shown) < len(listed):
            rest = len(listed) - len(shown)
            yield _command(Annotation(level, f"{rest} more", "see the log of this step for all of them"))


def junit_xml(project: str, cases: Sequence[Case], seconds: float, properties: Mapping[str, str]) -> bytes:
    """A JUnit report of a build: one test suite, one test case a variation. ``seconds`` is the whole build's time."""
    failures = sum(case.failure is not None for case in cases)
    counts = {
        "name": project,
        "tests": str(len(cases)),
        "failures": str(failures),
        "errors": "0",
        "time": f"{seconds:.3f}",
    }
    root = ElementTree.Element("testsuites", {name: _xml(value) for name, value in counts.items()})
    skipped = sum(case.failure is None and case.skipped is not None for case in cases)
    suite = ElementTree.SubElement(root, "testsuite", {**root.attrib, "skipped": str(skipped)})
    listed = ElementTree.SubElement(suite, "properties")
    for name, value in properties.items():
        ElementTree.SubElement(listed, "property", name=_xml(name), value=_xml(value))
    for case in cases:
        classname = case.asset.replace("/", ".")
        element = ElementTree.SubElement(suite, "testcase", classname=_xml(classname), name=_xml(case.name))
        if case.failure is not None:
            stage, text = map(_xml, case.failure)
            fault = ElementTree.SubElement(element, "failure", type=stage, message=text.partition("\n")[0])
            fault.text = text
        elif case.skipped is not None:
            ElementTree.SubElement(element, "skipped", message=_xml(case.skipped))
    ElementTree.indent(root, " ")
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[object]], most: int = 50) -> list[str]:
    """Lines of a Markdown table with at most ``most`` rows; a last line counts those left out.

    >>> markdown_table(["sound", "why"], [("a|b", "two\\nlines")])
    ['| sound | why |', '|---|---|', '| a\\\\|b | two lines |']
    """
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    lines += [f"| {' | '.join(map(_cell, row))} |" for row in rows[:most]]
    return lines + (["", f"and {len(rows) - most} more"] if len(rows) > most else [])


def shortened(lines: Sequence[str], most_bytes: int) -> str:
    """``lines`` joined, cut after a whole line so that the text in UTF-8 has at most ``most_bytes`` bytes."""
    note = "… the rest is in the log of this step"
    text = "\n".join(lines) + "\n"
    if len(text.encode()) <= most_bytes:
        return text
    left = most_bytes - len(f"\n{note}\n".encode())
    kept: list[str] = []
    for line in lines:
        left -= len(line.encode()) + 1
        if left < 0:
            break
        kept.append(line)
    return "\n".join([*kept, "", note]) + "\n"


def write_step_summary(path: Path, lines: Sequence[str]) -> None:
    """Append ``lines`` to GitHub's step summary, the file at ``path``.

    What earlier commands of the same step wrote counts against the same limit.
    """
    with path.open("ab") as file:
        left = SUMMARY_BYTES - file.tell()
        text = shortened(lines, left).encode() if lines else b""
        if len(text) <= left:
            file.write(text)


def build_summary(
    project: str, result: Mapping[str, Any], changes: Sequence[Sequence[object]] = ()
) -> list[str]:
    """Lines of Markdown that say what a build did. ``result`` is the object of ``build --json``.

    ``changes`` are rows (sound, what happened, why).
    """
    failed = result["failed"]
    version = result["version"]
    if version is None:
        headline = "nothing was published"
    elif result["published"]:
        headline = f"catalog version {version} is published"
    elif result["left"]:
        headline = f"catalog version {version} is unchanged"
    else:
        headline = f"catalog version {version} is up to date"
    lines = [
        f"### {project}: {headline}",
        "",
        *markdown_table(
            ["generated", "mastered", "reused", "failed", "waiting for review", "off target", "seconds"],
            [
                (
                    result["generated"],
                    result["mastered"],
                    result["reused"],
                    len(failed),
                    result["waiting"],
                    result["off_target"],
                    f"{result['seconds']:.1f}",
                )
            ],
        ),
    ]
    if result["watermark_lost"]:
        lines += ["", f"**{result['watermark_lost']} lost the watermark** in a delivered file"]
    if failed:
        rows = [(name_of(one), one["stage"], one["reason"]) for one in failed]
        lines += ["", f"**{len(failed)} failed**", "", *markdown_table(["sound", "stage", "reason"], rows)]
    if left := result["left"]:
        names = [name_of(one) for one in left]
        shown = list_names(names, limit=50)
        lines += ["", f"**{len(left)} left for the next build**, because the time was up: {shown}"]
    if changes:
        lines += ["", f"**{len(changes)} changed**", "", *markdown_table(["sound", "change", "why"], changes)]
    return lines


def plan_summary(project: str, result: Mapping[str, Any], groups: Sequence[Sequence[object]]) -> list[str]:
    """Lines of Markdown that say what a build would do. ``result`` is the object of ``plan --json``.

    ``groups`` are rows (action, sounds, why).
    """
    counts = {action: count for action, count in result["totals"]["actions"].items() if count}
    busy = {action: count for action, count in counts.items() if action not in ("reuse", "locked")}
    listed = ", ".join(f"{count} to {action}" for action, count in busy.items())
    lines = [f"### {project}: {listed or 'nothing to do'}", ""]
    audio = sum(line["audio_seconds"] for line in result["totals"]["generate"])
    if audio:
        seconds = result["estimate"]["seconds"]
        time = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"
        lines += [
            f"{audio:.0f} s of audio to generate, about {time} on this machine.",
            "",
        ]
    if groups:
        lines += markdown_table(["action", "sounds", "why"], groups)
    for fault in filter(None, [result["removals"], *result["library"]]):
        lines += ["", f"**Attention:** {_cell(fault)}"]
    missing = [(name_of(one), one["reason"]) for one in result["missing"]]
    if missing:
        lines += ["", f"**{len(missing)} not published**", "", *markdown_table(["sound", "reason"], missing)]
    return lines


def _command(annotation: Annotation) -> str:
    properties = {"file": annotation.file, "line": annotation.line, "title": annotation.title}
    listed = ",".join(
        f"{name}={_escaped(str(value), ':,')}" for name, value in properties.items() if value is not None
    )
    return f"::{annotation.level} {listed}::{_escaped(annotation.message)}"


def _escaped(text: str, also: str = "") -> str:
    return "".join(f"%{ord(char):02X}" if char in "%\r\n" + also else char for char in text)


def _cell(value: object, longest: int = 300) -> str:
    text = " ".join(str(value).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return text if len(text) <= longest else text[: longest - 1].rstrip("\\") + "…"


def _xml(text: str) -> str:
    """``text`` without characters that XML cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
