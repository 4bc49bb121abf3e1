"""The report as files: what is in it, what it may do, what is made again."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hostile import PROMPTS
from quick import QuickProject
from report_page import path_of
from toys import WITH_MUSIC
from typer.testing import CliRunner

from flows.cli.app import app
from pipeline.audio import Clip, read
from pipeline.build import publish
from pipeline.build.journal import Journal, listening
from pipeline.catalog import Reviews
from pipeline.errors import MachineError, StoreError, UsageError
from pipeline.report import Report, review_state_json, write_report
from pipeline.report.media import BANDS, envelope, png, spectrogram
from pipeline.report.page import Failure, failures_by_asset
from pipeline.store import ObjectRef, disk


def _data(report: Report) -> Any:
    page = path_of(report).read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def _master(report: Report, asset: str) -> Any:
    return next(one for one in _data(report)["masters"] if one["asset"] == asset)


def _sidecar(project: QuickProject, name: str) -> Any:
    path = next((project.outputs / "reports" / "cache").rglob(name))
    text = path.read_text("ascii")
    return json.loads(text[text.index("{") : -2])


def test_the_page_names_every_master_with_its_sound_in_the_store(
    project: QuickProject, report: Report
) -> None:
    masters = _data(report)["masters"]
    assert [(one["asset"], one["variation"]) for one in masters] == sorted(project.latest.by_variation)
    assert all((path_of(report).parent / one["sound"]).is_file() for one in masters)


def test_what_is_new_and_what_changed_since_the_parent_is_reported(report: Report) -> None:
    assert [m["variation"] for m in _data(report)["masters"] if m["fresh"] == "new"] == [3]
    assert "prompt changed" in _master(report, "sfx/door")["changes"]
    assert _master(report, "music/loop")["changes"] == []


def test_failures_are_grouped_by_asset_and_what_is_quarantined_counts_once() -> None:
    def failed(asset: str, variation: int, reason: str) -> dict[str, Any]:
        return {"asset": asset, "variation": variation, "stage": "generate", "reason": reason}

    gates = [{"what": "the sound is silent"}, {"what": "the sound clips"}]
    quarantined = [{"asset": "sfx/door", "variation": number, "quarantined": gates} for number in (1, 2)]
    lost = [failed("sfx/door", 1, "gate"), failed("sfx/door", 3, "lost"), failed("sfx/a", 1, "lost")]
    groups = failures_by_asset([*lost, failed("sfx/a", 2, "lost")], quarantined, {("sfx/a", 2)})
    assert list(groups) == ["sfx/a", "sfx/door"]
    assert groups["sfx/a"] == [Failure("generate: lost", [("sfx/a_01", None), ("sfx/a_02", "sfx/a_02")])]
    places = [(f"sfx/door_{number:02d}", f"quarantined:sfx/door_{number:02d}") for number in (1, 2)]
    assert groups["sfx/door"] == [
        Failure("generate: lost", [("sfx/door_03", None)]),
        Failure("quarantined: the sound is silent, the sound clips", places),
    ]


def test_a_version_of_which_everything_was_taken_out_says_so(project: QuickProject) -> None:
    project.manifest.write_text(WITH_MUSIC.rstrip() + " []\n")
    project.build()
    report = write_report(project.store)
    page = path_of(report).read_text(encoding="utf-8")
    assert "This version has no masters." in page
    assert "UTC · compared with version 2" in page


def test_an_earlier_sound_can_be_compared_and_lies_in_memory_for_it(
    project: QuickProject, report: Report
) -> None:
    (other,) = _master(report, "sfx/door")["others"]
    assert other["version"] == 1
    assert _sidecar(project, f"{other['pcm']}.loop.js")["suffix"] == ".flac"


def test_a_loop_lies_beside_the_page_within_16_bits_of_its_master(
    project: QuickProject, report: Report
) -> None:
    master = _master(report, "music/loop")
    packed = _sidecar(project, f"{master['pcm']}.loop.js")
    heard, _ = soundfile.read(io.BytesIO(base64.b64decode(packed["data"])), always_2d=True)
    stored = read(path_of(report).parent / master["sound"])
    assert heard.shape == stored.samples.T.shape
    assert np.abs(heard.T - stored.samples).max() < 2.5 / 32768


def test_a_sound_that_neither_loops_nor_is_compared_is_not_copied(
    project: QuickProject, report: Report
) -> None:
    pcm = _master(report, "sfx/long")["pcm"]
    assert not list((project.outputs / "reports" / "cache").rglob(f"{pcm}.loop.js"))


def test_review_events_stand_beside_their_master(report: Report) -> None:
    data = _data(report)
    places = [one["asset"] for one in data["masters"]]
    assert data["standing"]["approved"] == [places.index("sfx/long")]
    assert ["earlier", "comment", "lead", "a bit dark"] in [
        [heard, action, by, comment] for _, heard, action, by, _, comment in data["standing"]["events"]
    ]


def test_what_is_said_of_a_candidate_is_reported_of_the_candidate(project: QuickProject) -> None:
    project.say("approve", project.row("sfx/door"))
    project.manifest.write_text(project.manifest.read_text().replace("an iron door", "a tin door"))
    project.build()
    row = project.row("sfx/door")
    project.say("comment", row["waiting"], comment="better")  # type: ignore[arg-type]
    events = review_state_json(project.latest, Reviews(project.store).events())["events"]
    assert [heard for _, heard, _, _, _, comment in events if comment == "better"] == ["candidate"]


def test_a_version_is_not_compared_with_itself(project: QuickProject) -> None:
    with pytest.raises(UsageError, match="cannot be compared with itself"):
        write_report(project.store, 2, against=2)


def test_version_0_is_not_taken_for_the_latest(project: QuickProject) -> None:
    with pytest.raises(StoreError, match="no version 0"):
        write_report(project.store, 0)


def test_a_folder_that_cannot_be_written_is_reported(project: QuickProject) -> None:
    with pytest.raises(MachineError, match=r"cues\.yaml"):
        write_report(project.store, folder=project.manifest)


def test_only_the_pages_own_script_and_style_may_run(report: Report) -> None:
    page = path_of(report).read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    allowed = policy[1].replace("&#39;", "'")
    for tag in ('script type="module"', "style"):
        (body,) = (
            re.findall(rf"<{tag}>(.*?)</", page, re.DOTALL)
            if tag == "style"
            else re.findall(rf"<{tag}>(.*)</script>", page, re.DOTALL)
        )
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in allowed
    assert "unsafe" not in allowed
    assert not re.search(r'(src|href)="(https?:)?//', page)


def test_hostile_prompts_never_stand_in_the_page_as_markup(report: Report) -> None:
    page = path_of(report).read_text(encoding="utf-8")
    assert all(prompt not in page for prompt in PROMPTS if "<" in prompt)
    assert {one["prompt"] for one in _data(report)["masters"]} >= set(PROMPTS)


def test_a_second_report_makes_no_picture_again(project: QuickProject, report: Report) -> None:
    cache = project.outputs / "reports" / "cache"
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*.js")}
    write_report(project.store)
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.js")} == before


@pytest.mark.parametrize("pattern", ["*.js", "*.loop.js"], ids=["picture", "whole sound"])
def test_a_cached_file_that_a_crash_cut_short_is_written_again(
    project: QuickProject, report: Report, pattern: str
) -> None:
    path = next((project.outputs / "reports" / "cache").rglob(pattern))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    write_report(project.store)
    assert path.read_bytes() == whole


def test_a_report_names_the_sounds_whose_pictures_it_lacks(project: QuickProject) -> None:
    assert write_report(project.store).without_pictures == ()
    shutil.rmtree(project.outputs / "reports" / "cache")
    row = project.row("sfx/steps", 2)
    (file,) = row["files"].values()
    broken = project.store.path(ObjectRef.from_json(file))
    assert broken is not None
    broken.chmod(0o644)
    broken.write_bytes(b"no sound")
    command = ["report", "--outputs", str(project.outputs)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0
    assert "cannot read 1 sound, so the report has no waveforms for: sfx/steps_02" in done.stderr
    answer = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert answer["without_pictures"] == ["sfx/steps_02"]


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_self_contained_report_makes_torn_files_whole_and_touches_no_other(
    project: QuickProject, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    write_report(project.store, folder=away)
    before = _files(away)
    torn = {next(away.rglob(f"*{name}")) for name in (".wav", ".loop.js", "details-000.js", "index.html")}
    for path in torn:
        path.write_bytes(path.read_bytes()[:-20])
    moments = {path: path.stat().st_mtime_ns for path in away.rglob("*") if path.is_file()}
    write_report(project.store, folder=away)
    assert _files(away) == before
    assert {path for path, moment in moments.items() if path.stat().st_mtime_ns != moment} == torn


def test_a_self_contained_report_that_is_stopped_leaves_every_file_as_it_was(
    project: QuickProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = tmp_path / "away"
    write_report(project.store, folder=away)
    before = _files(away)
    project.say("comment", project.row("sfx/door"), comment="the page changes")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(disk, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_report(project.store, folder=away)
    assert _files(away) == before


def test_a_self_contained_report_holds_all_that_it_plays(project: QuickProject, tmp_path: Path) -> None:
    away = tmp_path / "away"
    report = write_report(project.store, folder=away)
    masters = _data(report)["masters"]
    assert report.path == away / "index.html"
    assert all((away / one["sound"]).is_file() for one in masters)
    assert all((away / f"reports/cache/{m['pcm'][:2]}/{m['pcm']}.js").is_file() for m in masters)


def test_an_older_version_has_its_own_report(project: QuickProject) -> None:
    report = write_report(project.store, 1)
    assert (report.version, report.against) == (1, None)
    assert _master(report, "sfx/door")["prompt"] == "an oak door"


def test_a_report_that_cannot_be_made_is_reported_and_harms_nothing(
    project: QuickProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("no ink")

    output: list[dict[str, Any]] = []
    monkeypatch.setattr(publish, "write_report", broken)
    with listening(output.append):
        journal = Journal(project.store, "run")
    assert publish.report_build(project.store, project.latest, journal) is None
    assert output[-1]["event"] == "report-failed"
    assert "no ink" in output[-1]["reason"]


def test_a_build_that_publishes_writes_its_report(made: QuickProject) -> None:
    assert (made.outputs / "reports" / "000001" / "index.html").is_file()
    assert (made.outputs / "reports" / "000002" / "index.html").is_file()


def test_an_envelope_holds_the_highest_and_the_lowest_sample_of_each_stretch() -> None:
    samples = np.zeros((2, 1000), np.float32)
    samples[0, 250], samples[1, 750] = 1.0, -0.5
    low, high = envelope(Clip(samples, 48000), 4)
    assert high.tolist() == [0, 255, 0, 0]
    assert low.tolist() == [0, 0, 0, 128]


@pytest.mark.parametrize("hertz", [100.0, 1000.0, 8000.0])
def test_a_tone_lights_the_band_of_its_pitch(hertz: float) -> None:
    time = np.arange(48000) / 48000
    tone = (0.1 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)[None]
    bands = spectrogram(Clip(tone, 48000))
    moment = bands[:, bands.shape[1] // 2]
    expected = BANDS - 1 - int(BANDS * np.log(hertz / 40) / np.log(20000 / 40))
    assert moment[expected - 1 : expected + 2].max() == moment.max() > moment.min()


@pytest.mark.parametrize("length", [0, 1, 7, 100])
def test_the_shortest_sounds_have_a_picture(length: int) -> None:
    clip = Clip(np.ones((1, length), np.float32), 48000)
    assert spectrogram(clip).shape[0] == BANDS
    assert len(envelope(clip, 96)[0]) == max(1, min(96, length))


def test_a_png_starts_and_ends_as_one() -> None:
    image = png(np.zeros((3, 5), np.uint8))
    assert image.startswith(b"\x89PNG")
    assert image.endswith(b"IEND\xaeB`\x82")
