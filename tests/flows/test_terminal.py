"""What commands print on terminals of several widths, and in a pipe: columns, colours, times."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples
from quick import QuickProject

from flows.cli.terminal import Column, ago, columns_of, fold, paint, table
from scripts.record_terminal import in_terminal

CUESMITH = [sys.executable, "-c", "from flows.cli import main; main()"]
ASSETS = """\
  - {id: footsteps/gravel/walking/slow, kind: sfx, prompt: hello, duration: 0.5s, variations: 2, tags: [x]}
  - {id: ui/click, kind: sfx, prompt: second, duration: 0.4s}
  - {id: creatures/wolf/growl, kind: sfx, prompt: hiss, duration: 0.3s}
"""
IDS = ("footsteps/gravel/walking/slow_01", "footsteps/gravel/walking/slow_02", "ui/click_01")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
COMMANDS = {
    "show": ("catalog", "show"),
    "versions": ("catalog", "versions"),
    "history": ("catalog", "history", "*"),
    "quarantine": ("catalog", "quarantine"),
    "channels": ("catalog", "channels", "latest"),
    "reviews": ("review", "list"),
    "plan": ("plan", "cues.yaml", "--all"),
    "help": ("--help",),
    "help of build": ("build", "--help"),
}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> QuickProject:
    """A project with long ids, a quarantined sound, and a review."""
    project = QuickProject(tmp_path_factory.mktemp("studio") / "toys")
    project.write(ASSETS)
    project.build()
    done = run(project, "review", "approve", "ui/click", "--by", "Ana", "-m", "a good click " * 8)
    assert done.returncode == 0, done.stderr
    return project


@pytest.fixture(scope="module")
def piped(studio: QuickProject) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """What each of `COMMANDS` prints in a pipe, run once."""
    return cache(lambda name: run(studio, *COMMANDS[name], COLUMNS="200", FORCE_COLOR="1", TERM="xterm"))


def run(project: QuickProject, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command whose output is a pipe."""
    place = {**os.environ, **environment}
    return subprocess.run(
        [*CUESMITH, *words], cwd=project.folder, env=place, capture_output=True, text=True, check=False
    )


def shown(project: QuickProject, *words: str, width: int = 80, **environment: str) -> str:
    """What a command prints on a terminal."""
    chunks: list[bytes] = []
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    place = {**inherited, "TERM": "xterm", **environment}
    assert in_terminal([*CUESMITH, *words], project.folder, place, (width, 28), chunks.append) == 0
    return b"".join(chunks).decode().replace("\r\n", "\n")


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_is_wider_than_the_terminal_and_no_word_is_cut(
    studio: QuickProject, piped: Callable[[str], subprocess.CompletedProcess[str]], name: str, width: int
) -> None:
    said = _ANSI.sub("", shown(studio, *COMMANDS[name], width=width))
    assert [line for line in said.splitlines() if len(line) > width] == []
    words = set((piped(name).stdout + piped(name).stderr).split())
    exact = {word for word in words if re.match(r"\d{4}-\d\d-\d\dT", word)}
    assert words - exact - set(said.split()) == set()


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"help", "help of build"}))
def test_a_pipe_gets_one_row_a_line_without_colours_at_any_width(
    studio: QuickProject, piped: Callable[[str], subprocess.CompletedProcess[str]], name: str
) -> None:
    wide, narrow = piped(name), run(studio, *COMMANDS[name], COLUMNS="40")
    assert wide.stdout == narrow.stdout
    assert "\x1b" not in wide.stdout + wide.stderr
    if name == "show":
        assert wide.stdout.startswith("footsteps/gravel/walking/slow_01            0.50 s")


def test_ids_stay_whole_and_less_important_columns_go_below_at_60(studio: QuickProject) -> None:
    lines = _ANSI.sub("", shown(studio, "catalog", "show", width=60)).splitlines()
    assert [line.split()[0] for line in lines if line.startswith(("foot", "ui/"))] == list(IDS)
    assert lines[1].strip() == "placeholder"
    assert lines[1].startswith("    ")


def test_colours_tell_actions_apart_and_are_off_on_request(studio: QuickProject) -> None:
    words = ("catalog", "show")
    said = shown(studio, *words, width=200)
    assert "\x1b[32mapproved\x1b[0m" in said
    assert "\x1b[31mquarantined\x1b[0m: " in said
    for off in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in shown(studio, *words, **off)
    assert "\x1b" not in shown(studio, *words, "--json")


def test_times_are_relative_on_a_terminal_and_exact_elsewhere(studio: QuickProject) -> None:
    created = json.loads(run(studio, "catalog", "versions", "--json").stdout)["versions"][0]["created"]
    assert created in run(studio, "catalog", "versions").stdout
    assert json.loads(shown(studio, "catalog", "versions", "--json"))["versions"][0]["created"] == created
    for name in ("versions", "history", "channels", "reviews"):
        said = shown(studio, *COMMANDS[name])
        assert re.search(r"just now|\d+ minutes? ago", said), said
        assert created not in said


def test_a_moment_in_another_time_zone_is_as_long_ago() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert ago("2026-03-01T12:00:00+02:00", now) == "2 hours ago"


words = st.text("abcdefgh/_", min_size=1, max_size=40)
texts = st.lists(words, max_size=12).map(" ".join)


@settings(max_examples=examples(60))
@given(st.lists(st.tuples(words, words, texts), min_size=1, max_size=6), st.integers(20, 220))
def test_a_table_keeps_every_word_whole_and_in_order(rows: list[tuple[str, str, str]], width: int) -> None:
    columns = (Column(10), Column(40, gap=1), Column(gap=1))
    lines = table(rows, columns, width)
    assert " ".join(lines).split() == " ".join(" ".join(row) for row in rows).split()
    assert all(columns_of(line) <= width or len(line.split()) == 1 for line in lines)
    assert len(table(rows, columns, None)) == len(rows)


@given(texts, st.integers(10, 100))
def test_folding_breaks_at_spaces_only(text: str, width: int) -> None:
    lines = fold(text, width).split("\n")
    assert " ".join(lines).split() == text.split()
    assert all(columns_of(line) <= width or len(line.split()) == 1 for line in lines)


def test_a_number_stays_with_its_unit_and_colours_take_no_room() -> None:
    assert fold("the duration changed: 0.5 s", 24) == "the duration changed:\n  0.5 s"
    assert fold(f"{paint('failed')} {paint('failed')}", 13) == f"{paint('failed')} {paint('failed')}"


def test_wide_letters_take_two_columns() -> None:
    lines = table([("森の音", "a"), ("ui", "b")], (Column(), Column()), 40)
    assert lines == ["森の音  a", "ui      b"]


@pytest.mark.parametrize(("environment", "width"), [({}, 80), ({"COLUMNS": "50"}, 50)])
def test_a_terminal_of_no_known_width_counts_as_80(
    studio: QuickProject, environment: dict[str, str], width: int
) -> None:
    said = shown(studio, *COMMANDS["history"], width=0, **environment)
    assert width - 20 < max(len(line) for line in _ANSI.sub("", said).splitlines()) <= width
