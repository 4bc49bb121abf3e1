"""The recording of a session in the docs: its commands still work, and its files are what players and browsers read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.record_terminal import COLUMNS, NAME, ROWS, SESSION, Run, Step, asciicast, picture, record

RECORDINGS = Path(__file__).parents[2] / "docs" / "recordings"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def typed(text: str) -> str:
    """The commands of an asciicast, as the user typed them."""
    lines = [_ANSI.sub("", json.loads(line)[2]).rstrip() for line in text.splitlines()[1:]]
    prompts = (re.match(r"(?:~[^ ]* \$|>) (.*)", line) for line in lines)
    return "\n".join(match[1] for match in prompts if match)


def test_the_recording_shows_the_session_of_the_script() -> None:
    text = (RECORDINGS / f"{NAME}.cast").read_text()
    assert typed(text) == "\n".join(step.typed for step in SESSION), "run `python scripts/record_terminal.py`"
    header = json.loads(text.splitlines()[0])
    assert (header["version"], header["width"], header["height"]) == (2, COLUMNS, ROWS)
    times = [json.loads(line)[0] for line in text.splitlines()[1:]]
    assert times == sorted(times)
    assert "/tmp/" not in text


def test_the_picture_has_the_lines_of_the_recording() -> None:
    page = ElementTree.parse(RECORDINGS / f"{NAME}.svg")
    space = "{http://www.w3.org/2000/svg}"
    drawn = ["".join("".join(line.itertext()).split()) for line in page.iter(f"{space}text")]
    cast = (RECORDINGS / f"{NAME}.cast").read_text().splitlines()[1:]
    assert drawn == ["".join(_ANSI.sub("", json.loads(line)[2]).split()) for line in cast]


def test_a_session_is_recorded_with_colours_and_without_paths(tmp_path: Path) -> None:
    steps = (Step("cuesmith init game"), Step("cd game"), Step("cuesmith plan"), Step("cuesmith bild", 2))
    shown = record(steps, tmp_path)
    lines = ["".join(run.text for run in line.line) for line in shown]
    assert lines[0] == "~ $ cuesmith init game"
    assert "~/game $ cuesmith plan" in lines
    assert lines[-1].endswith("did you mean build?")
    assert Run("generate", "green") in (run for line in shown for run in line.line)
    assert str(tmp_path) not in asciicast(shown) + picture(shown)
    ElementTree.fromstring(picture(shown))


def test_a_step_that_ends_in_another_way_stops_the_recording(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"'false' ended with 1, not 0"):
        record((Step("false"),), tmp_path)


@pytest.mark.slow
def test_two_recordings_are_equal_and_every_command_works(tmp_path: Path) -> None:
    first, second = (tmp_path / "a", tmp_path / "b")
    for folder in (first, second):
        folder.mkdir()
    assert asciicast(record(SESSION, first)) == asciicast(record(SESSION, second))
