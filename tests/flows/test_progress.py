"""The progress of a build follows its journal: stages, what is made now, failures at once, the time left."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import ONE, THREE, TWO, ToyProject

from flows import progress
from flows.progress import BuildProgress
from flows.stages import BuildState
from scripts.record_terminal import in_terminal

ESTIMATE = {"seconds": 110.0, "generate_seconds": 80.0, "master_seconds": 20.0, "overhead_seconds": 10.0}
BEGAN = (
    {"event": "generate-began", "takes": 2, "audio_seconds": 2.0, "estimate": ESTIMATE},
    {"event": "master-began", "masters": 2, "audio_seconds": 2.0},
)
FAILED = {"event": "failed", "asset": "a/one", "variation": 2, "stage": "quality", "reason": "too quiet"}
CUESMITH = [sys.executable, "-c", "from flows.cli import main; main()"]
FAILURE = "failed: a/two (generate): the toy was told to fail; change the prompt"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def state() -> BuildState:
    state = BuildState(0.0, Clock())
    for event in BEGAN:
        state.update(event)
    return state


def at(state: BuildState, now: float, **event: Any) -> list[str]:
    """Pass an event at a time; return the lines to show."""
    state.clock.now = now  # type: ignore[attr-defined]
    return state.update(event)


def test_a_quarantined_master_counts_as_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY_S", -1.0)
    with BuildProgress() as bars:
        for event in BEGAN:
            bars(event)
        bars({"event": "take", "audio_seconds": 1.0})
        bars({"event": "take", "audio_seconds": 1.0})
        bars(FAILED)
        bars({"event": "master", "audio_seconds": 1.0})
    lines = capsys.readouterr().err.splitlines()
    assert "failed: a/one variation 2 (quality): too quiet" in lines
    assert lines[-1].startswith(
        "  generate 2 of 2, 2 s of audio; master 2 of 2, 1 s of audio, 1 failed; about "
    )


def test_each_stage_is_announced_once_when_it_begins(state: BuildState) -> None:
    began = {"event": "began", "stage": "master", "name": "a/one_1"}
    assert state.update({**began, "item": "x"}) == ["3/4 Master: 2 masters"]
    assert state.update({**began, "item": "y"}) == []
    assert state.update({"event": "publish-began"}) == ["4/4 Publish: version, library and report"]
    fresh = BuildState(0.0, Clock())
    assert fresh.update(BEGAN[0]) == ["2/4 Generate: 2 takes, 2 s of audio; about 1 min 50 s left"]


def test_what_is_made_now_is_named_until_it_ends_and_no_name_is_cut(state: BuildState) -> None:
    for number in range(4):
        name = f"music/theme_{number}"
        state.update({"event": "began", "item": str(number), "stage": "generate", "name": name})
    assert state.status(200).endswith("now: music/theme_0, music/theme_1, music/theme_2, music/theme_3")
    assert state.status(60).endswith("now: music/theme_0, 3 more")
    state.update({"event": "ended", "item": "0"})
    assert state.status(60).endswith("now: music/theme_1, 2 more")
    assert state.status(30) == "about 1 min 50 s left"


def test_the_time_left_begins_with_the_estimate_and_follows_the_pace(state: BuildState) -> None:
    assert state.seconds_left() == 110.0
    at(state, 40.0, event="take", audio_seconds=1.0)
    on_time = state.seconds_left()
    assert on_time == pytest.approx(60.0 + 10.0, abs=1.0)
    slow = BuildState(0.0, Clock())
    for event in BEGAN:
        slow.update(event)
    at(slow, 160.0, event="take", audio_seconds=1.0)
    assert slow.seconds_left() > 1.5 * on_time  # type: ignore[operator]
    at(state, 101.0, event="publish-began")
    assert state.seconds_left() == 10.0


@given(st.lists(st.floats(0.01, 300.0), min_size=4, max_size=4))
def test_the_time_left_is_never_negative_and_ends_with_publishing(pauses: list[float]) -> None:
    state, now = BuildState(0.0, Clock()), 0.0
    for event in BEGAN:
        state.update(event)
    for pause, kind in zip(pauses, ("take", "take", "master", "master"), strict=True):
        now += pause
        at(state, now, event=kind, audio_seconds=1.0)
        assert (state.seconds_left() or 0.0) >= 0.0
    assert state.seconds_left() == pytest.approx(10.0)


@pytest.fixture
def failing(toys: ToyProject) -> list[str]:
    """A build whose second asset fails."""
    toys.write(ONE + TWO.replace("second", "please fail") + THREE)
    return ["build", str(toys.manifest), "--outputs", str(toys.outputs), "--devices", "cpu"]


def test_a_build_on_a_terminal_shows_stages_the_current_asset_and_failures_as_they_happen(
    failing: list[str], prefect_server: str
) -> None:
    chunks: list[bytes] = []
    place = {**os.environ, "TERM": "xterm", "PREFECT_API_URL": prefect_server, "TOY_SECONDS": "0.3"}
    code = in_terminal(CUESMITH + failing, Path.cwd(), place, (60, 28), chunks.append)
    raw = b"".join(chunks).decode()
    assert code == 3, raw
    screen = pyte.Screen(60, 200)
    pyte.Stream(screen).feed(raw)
    shown = "\n".join(line.rstrip() for line in screen.display).rstrip()
    assert [name for name in ("2/4 Generate", "3/4 Master", "4/4 Publish") if name not in shown] == []
    assert re.search(r"2/4 Generate .* 4/4", shown)
    assert re.search(r"now: [ab]/", raw)
    assert re.search(r"about \d+ \w+ left", raw)
    assert "left" not in shown, "the line of what is made now is gone at the end"
    # It stands above the bars before the build has published.
    assert raw.index("the toy was told to fail") < raw.index("4/4 Publish") < raw.index("catalog version 1")


def test_in_a_pipe_a_build_prints_stages_and_failures_as_lines(
    failing: list[str], prefect_server: str
) -> None:
    place = {**os.environ, "PREFECT_API_URL": prefect_server, "FORCE_COLOR": "1"}
    done = subprocess.run(CUESMITH + failing, env=place, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    check_lines(done.stderr)


def test_with_json_a_terminal_gets_lines_too(failing: list[str], prefect_server: str) -> None:
    chunks: list[bytes] = []
    place = {**os.environ, "PREFECT_API_URL": prefect_server, "TERM": "xterm"}
    assert in_terminal([*CUESMITH, *failing, "--json"], Path.cwd(), place, (200, 28), chunks.append) == 3
    check_lines(b"".join(chunks).decode().replace("\r\n", "\n"))


def check_lines(said: str) -> None:
    """Each stage is a line, the failure comes before publishing, and nothing is a control character."""
    assert re.findall(r"[^\n -~]", said) == []
    order = [line for line in said.splitlines() if re.match(r"\d/4 |failed: a/two \(", line)]
    stages = [line.partition(":")[0] for line in order]
    assert sorted(stages) == ["1/4 Plan", "2/4 Generate", "3/4 Master", "4/4 Publish", "failed"]
    assert stages.index("failed") < stages.index("4/4 Publish")
    assert FAILURE in order


def test_a_dumb_terminal_gets_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with BuildProgress() as shown:
        for event in BEGAN:
            shown(event)
    assert capsys.readouterr().err == "2/4 Generate: 2 takes, 2 s of audio; about 1 min 50 s left\n"
