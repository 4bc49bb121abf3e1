"""Reports for CI: read back by parsers that are not ours, and inside the limits of the services."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml
from markdown_it import MarkdownIt

from pipeline.build.ci import (
    SUMMARY_BYTES,
    Annotation,
    Case,
    build_summary,
    github_commands,
    junit_xml,
    markdown_table,
    repository_path,
    shortened,
    write_step_summary,
)

ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=60)


def parsed(command: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as GitHub's runner reads it: its name, its properties and its message."""
    assert command.startswith("::")
    head, _, message = command[2:].partition("::")
    name, _, listed = head.partition(" ")
    properties = dict(item.split("=", 1) for item in listed.split(","))
    return name, {key: unescaped(value, True) for key, value in properties.items()}, unescaped(message, False)


def unescaped(text: str, is_property: bool) -> str:
    codes = {"%0D": "\r", "%0A": "\n"} | ({"%3A": ":", "%2C": ","} if is_property else {})
    for code, char in codes.items():
        text = text.replace(code, char)
    return text.replace("%25", "%")


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT.filter(bool), st.integers(1, 10**6))
def test_a_workflow_command_is_one_line_and_means_what_was_said(
    title: str, message: str, file: str, line: int
) -> None:
    [command] = github_commands([Annotation("error", title, message, file, line)])
    assert len(command.split("\n")) == len(command.split("\r")) == 1
    assert parsed(command) == ("error", {"file": file, "line": str(line), "title": title}, message)


@pytest.mark.parametrize("count", [10, 11, 500])
def test_annotations_beyond_githubs_limit_are_counted(count: int) -> None:
    wrong = [
        Annotation("error", f"asset {number}", "wrong", "m.yaml", number) for number in range(1, count + 1)
    ]
    odd = [Annotation("warning", "odd", "odd")]
    commands = list(github_commands([*wrong, *odd]))
    errors = [parsed(command) for command in commands if command.startswith("::error")]
    assert len(errors) == min(count, 10)
    if count > 10:
        assert errors[-1][1]["title"] == f"{count - 9} more"
    assert commands[-1] == "::warning title=odd::odd"


@given(
    st.lists(st.tuples(ANY_TEXT, ANY_TEXT, st.none() | ANY_TEXT, st.none() | ANY_TEXT), max_size=8), ANY_TEXT
)
def test_a_junit_report_counts_what_its_cases_say(
    rows: list[tuple[str, str, str | None, str | None]], project: str
) -> None:
    cases = [
        Case(asset, name, None if reason is None else ("generate", reason), skipped)
        for asset, name, reason, skipped in rows
    ]
    data = junit_xml(project, cases, 12.3456, {"version": "3"})
    suites = JUnitXml.fromroot(ElementTree.fromstring(data))
    [suite] = suites
    failed = [case for case in cases if case.failure is not None]
    skipped = [case for case in cases if case.failure is None and case.skipped is not None]
    assert (suite.tests, suite.failures, suite.errors) == (len(cases), len(failed), 0)
    assert sum(any(one._tag == "failure" for one in case.result) for case in suite) == len(failed)
    assert sum(any(one._tag == "skipped" for one in case.result) for case in suite) == len(skipped)
    assert suite.skipped == len(skipped)


def test_a_table_holds_any_cell(tmp_path: Path) -> None:
    rows = [("a|b", "two\nlines"), ("back\\|slash", "<b>bold</b>"), ("`code`", "x" * 1000)]
    html = (
        MarkdownIt("commonmark", {"html": False})
        .enable("table")
        .render("\n".join(markdown_table(["a", "b"], rows)))
    )
    assert html.count("<tr>") == 4
    assert html.count("<td") == 6
    assert "<b>" not in html


@given(st.lists(st.text(max_size=30), max_size=20), st.integers(100, 400))
def test_a_text_is_cut_after_a_whole_line(lines: list[str], most: int) -> None:
    text = shortened(lines, most)
    assert len(text.encode(errors="surrogatepass")) <= most
    if text != "\n".join(lines) + "\n":
        assert text.endswith("the rest is in the log of this step\n")


def test_step_summaries_of_one_step_share_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    for _ in range(3):
        write_step_summary(path, ["x" * 999] * 500)
    assert 900_000 < path.stat().st_size <= SUMMARY_BYTES


def test_a_path_is_relative_to_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    assert repository_path(tmp_path / "audio" / "game.yaml") == "audio/game.yaml"
    assert repository_path(Path("/elsewhere/game.yaml")) == "/elsewhere/game.yaml"


def test_a_summary_names_what_failed_and_what_changed() -> None:
    result = {
        "version": 12,
        "published": True,
        "generated": 5,
        "mastered": 4,
        "reused": 10,
        "waiting": 1,
        "off_target": 2,
        "watermark_lost": 3,
        "left": [],
        "seconds": 3.25,
        "failed": [{"asset": "sfx/door", "variation": 2, "stage": "quality", "reason": "silence"}],
    }
    text = "\n".join(build_summary("emberfall", result, [("sfx/step_01", "changed", "prompt changed")]))
    assert text.startswith("### emberfall: catalog version 12 is published\n")
    lost = "**3 lost the watermark** in a delivered file"
    for part in ("| sfx/door_02 | quality | silence |", "| sfx/step_01 | changed | prompt changed |", lost):
        assert part in text
