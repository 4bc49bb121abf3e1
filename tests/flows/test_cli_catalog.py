"""The catalog and review commands: what they print where, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from quick import QuickProject
from toys import ONE, THREE, TWO
from typer.testing import CliRunner, Result

from flows.cli.app import app
from pipeline.catalog import Reviews
from pipeline.manifest.spec import GateReason
from pipeline.review import reviewer_name

ROOT = Path(__file__).parents[2]


def run(project: QuickProject, *words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words), "--outputs", str(project.outputs)])


def answer(project: QuickProject, *words: object) -> Any:
    return json.loads(run(project, *words, "--json").stdout)


def change(project: QuickProject) -> None:
    project.write(ONE + TWO.replace("second", "other") + THREE)
    project.build()


def test_versions_tell_the_channels_that_point_to_them(project: QuickProject) -> None:
    change(project)
    output = answer(project, "catalog", "versions")["versions"]
    assert [(line["version"], line["channels"]) for line in output] == [(1, []), (2, ["latest"])]
    assert "<- latest" in run(project, "catalog", "versions").stdout.splitlines()[1]


def test_show_narrows_by_tag_kind_state_and_model(project: QuickProject) -> None:
    project.say("approve", project.row("a/two"))

    def names(*words: object) -> list[str]:
        return [
            f"{row['asset']}_{row['variation']}"
            for row in answer(project, "catalog", "show", *words)["masters"]
        ]

    assert names("--tag", "x") == ["a/one_1", "a/one_2"]
    assert names("--state", "approved") == ["a/two_1"]
    assert names("a/*", "--state", "unreviewed", "--variation", "2") == ["a/one_2"]
    assert names("--kind", "music") == []
    assert len(names("--model", "t*", "--state", "placeholder")) == 4
    assert run(project, "catalog", "show", "--state", "pretty").exit_code == 2


def test_show_says_what_it_did_not_find(project: QuickProject) -> None:
    assert (
        "no master that matches 'a/one' variation 9"
        in run(project, "catalog", "show", "a/one", "--variation", "9").stderr
    )
    assert answer(project, "catalog", "show", "--variation", "9") == {"version": 1, "masters": []}
    assert run(project, "catalog", "show", "--kind", "musci").exit_code == 2


def test_show_tells_how_each_master_stands(project: QuickProject) -> None:
    project.say("approve", project.row("a/two"))
    line = next(
        line for line in run(project, "catalog", "show").stdout.splitlines() if line.startswith("a/two")
    )
    assert line.endswith("toy  approved placeholder")


def test_diff_tells_people_and_programs(project: QuickProject) -> None:
    change(project)
    said = run(project, "catalog", "diff", 1, 2)
    assert said.stdout.startswith("changed  a/two_01")
    assert "prompt changed" in said.stdout
    assert "0 added, 0 removed, 1 changed" in said.stderr
    output = answer(project, "catalog", "diff", 1, 2)
    assert output["totals"] == {"added": 0, "removed": 0, "changed": 1, "audible": 1}
    assert run(project, "catalog", "diff", 1, 9).exit_code == 2


def test_history_weaves_versions_and_reviews(project: QuickProject) -> None:
    run(project, "review", "reject", "a/two", "--by", "Ada", "-m", "too loud")
    project.build()
    lines = run(project, "catalog", "history", "a/two").stdout.splitlines()
    assert ["version 1" in lines[0], "by Ada: too loud" in lines[1], "rejected in review" in lines[2]] == [
        True
    ] * 3
    output = answer(project, "catalog", "history", "a/two")
    assert (len(output["history"]), len(output["reviews"])) == (2, 1)
    assert run(project, "catalog", "history", "nobody").exit_code == 2


def test_history_takes_what_show_takes(project: QuickProject) -> None:
    run(project, "review", "lock", "a/one_02", "--by", "Ada")
    whole = answer(project, "catalog", "history", "a/one")
    assert {step["variation"] for step in whole["history"]} == {1, 2}
    for words in (["a/one_02"], ["a/one", "--variation", "2"], ["a/*_02"]):
        output = answer(project, "catalog", "history", *words)
        assert [(step["asset"], step["variation"]) for step in output["history"]] == [("a/one", 2)]
        assert [(event["asset"], event["variation"]) for event in output["reviews"]] == [("a/one", 2)]
    nothing = run(project, "catalog", "history", "a/one", "--variation", "9")
    assert nothing.exit_code == 2
    assert "no version has a master that matches 'a/one' variation 9" in nothing.stderr


@pytest.mark.parametrize("kind", ["csv", "parquet", "json"])
def test_tables_go_to_a_file(project: QuickProject, kind: str) -> None:
    file = project.folder / f"table.{kind}"
    assert run(project, "catalog", "table", "--format", kind, "--output", file).exit_code == 0
    read: Any = {
        "csv": pd.read_csv,
        "parquet": pd.read_parquet,
        "json": lambda path: pd.DataFrame(json.loads(path.read_text())["rows"]),
    }
    assert len(read[kind](file)) == 4


def test_tables_go_to_standard_output_but_parquet_does_not(project: QuickProject) -> None:
    assert run(project, "catalog", "table").stdout.startswith("version,asset,variation")
    assert answer(project, "catalog", "table")["schema"] == "cuesmith.catalog.table/2"
    refused = run(project, "catalog", "table", "--format", "parquet")
    assert (refused.exit_code, "--output catalog.parquet" in refused.stderr) == (2, True)


def test_promote_refuses_with_everything_and_exits_with_1(project: QuickProject) -> None:
    refused = run(project, "promote", 1, "--channel", "release")
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert "unapproved: 4 masters" in refused.stderr
    assert "not promoted to release: placeholder, unapproved, credentials" in refused.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--override", "placeholder"], "1 --override but 0 --because"),
        (["--because", "x"], "add one: --override REASON"),
        (["--override", "placeholder", "--because", "x", "--because", "y"], "1 --override but 2 --because"),
        (["--override", "pretty", "--because", "x"], "unknown; choose from non-commercial"),
    ],
)
def test_overrides_that_do_not_fit_are_reported(project: QuickProject, words: list[str], said: str) -> None:
    result = run(project, "promote", 1, "--channel", "release", *words)
    assert (result.exit_code, said in result.stderr) == (2, True)


def test_an_override_that_was_not_needed_is_reported(project: QuickProject) -> None:
    words = [
        word
        for code in ("placeholder", "unapproved", "credentials", "stale")
        for word in ("--override", code)
    ]
    done = run(project, "promote", 1, "--channel", "beta", *words, "--because", "try", "--by", "Pat")
    assert done.exit_code == 0
    assert "--override stale was not needed" in done.stderr
    history = run(project, "catalog", "channels", "beta").stdout
    assert "override unapproved (4 masters) by Pat: try" in history
    assert run(project, "catalog", "channels", "gamma").exit_code == 2
    assert len(answer(project, "catalog", "channels")["channels"]) == 2


def test_rollback_says_where_the_channel_is(project: QuickProject) -> None:
    change(project)
    assert "latest points to version 1 again" in run(project, "catalog", "rollback").stdout
    assert run(project, "catalog", "rollback", "--by", "Pat").exit_code == 2


def test_reviews_are_written_listed_and_signed(project: QuickProject) -> None:
    output = answer(project, "review", "approve", "a/*", "--by", "Ada", "-m", "good")
    assert [(event["asset"], event["variation"]) for event in output["events"]] == [
        ("a/one", 1),
        ("a/one", 2),
        ("a/two", 1),
    ]
    run(project, "review", "comment", "b/three", "-m", "hm")
    assert len(answer(project, "review", "list")["events"]) == 4
    assert len(answer(project, "review", "list", "a/one", "--by", "Ada")["events"]) == 2
    assert "by Ada: good" in run(project, "review", "list", "a/two").stdout
    [signed] = answer(project, "review", "list", "b/three")["events"]
    assert signed["by"]


@pytest.mark.parametrize("action", ["approve", "reject", "reroll", "lock", "unlock", "clear"])
def test_every_action_is_a_command(project: QuickProject, action: str) -> None:
    assert run(project, "review", action, "a/two").exit_code == 0
    [event] = Reviews(project.store).events()
    assert event.action == action


def test_a_review_of_nothing_is_a_wrong_input(project: QuickProject) -> None:
    assert run(project, "review", "approve", "nobody").exit_code == 2
    assert run(project, "review", "approve", "a/two", "--waiting").exit_code == 2
    assert run(project, "review", "comment", "a/two").exit_code == 2
    assert Reviews(project.store).events() == ()


def test_a_comment_that_cannot_be_kept_is_a_wrong_input(project: QuickProject) -> None:
    done = run(project, "review", "comment", "a/two", "-m", "bad byte \udcff")
    assert (done.exit_code, done.stderr) == (
        2,
        "error: -m: it contains the control character '\\udcff'; remove it\n",
    )
    assert run(project, "review", "approve", "a/two", "--by", "Ada\nBob").exit_code == 2


def test_an_option_before_the_command_that_it_is_meant_for_is_not_lost(project: QuickProject) -> None:
    words = ["review", "--outputs", str(project.outputs), "approve", "a/two"]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, Reviews(project.store).events()) == (2, ())
    assert "cuesmith review approve ... --outputs" in done.stderr


def test_one_is_not_reported_as_many(project: QuickProject) -> None:
    assert (
        run(project, "review", "approve", "a/two").stderr
        == f"1 decision by {reviewer_name()} on version 1. Next: cuesmith build\n"
    )
    assert run(project, "review", "list").stderr == "1 review\n"
    assert run(project, "catalog", "show", "a/two").stderr == "version 1: 1 master\n"


def test_decisions_are_imported_once(project: QuickProject) -> None:
    row = project.row("a/two")
    item = {
        "action": "approve",
        "asset": "a/two",
        "variation": 1,
        "take": row["take"],
        "master": row["master"],
        "comment": "",
        "at": "2026-02-01T00:00:00Z",
    }
    value = {"schema": "cuesmith.decisions/1", "version": 1, "reviewer": "Ada", "decisions": [item]}
    file = project.folder / "ada.json"
    file.write_text(json.dumps(value))
    first, again = answer(project, "review", "import", file), answer(project, "review", "import", file)
    assert [(len(output["added"]), output["known"]) for output in (first, again)] == [(1, 0), (0, 1)]
    file.write_text(json.dumps(value | {"decisions": [item | {"action": "love"}]}))
    refused = run(project, "review", "import", file)
    assert (refused.exit_code, "decisions[0].action: 'love'" in refused.stderr) == (2, True)
    assert run(project, "review", "import", project.folder / "none.json").exit_code == 2


def test_the_docs_tell_every_reason_of_the_gate() -> None:
    text = (ROOT / "docs" / "catalog.md").read_text(encoding="utf-8")
    table = text.split("<!-- codes:begin -->")[1].split("<!-- codes:end -->")[0]
    assert [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")] == list(GateReason)


def test_a_review_takes_the_name_that_lists_print(project: QuickProject) -> None:
    shown = run(project, "catalog", "show", "a/one").stdout.split()[0]
    [event] = answer(project, "review", "approve", shown, "--by", "Ada")["events"]
    assert (shown, event["asset"], event["variation"]) == ("a/one_01", "a/one", 1)
    assert len(answer(project, "review", "list", shown)["events"]) == 1
    assert answer(project, "review", "list", "a/one_02")["events"] == []


def test_a_take_that_waits_is_marked_until_it_waits_no_more(project: QuickProject) -> None:
    run(project, "review", "approve", "a/two", "--by", "Ada")
    change(project)
    run(project, "review", "comment", "a/two", "--by", "Ada", "-m", "as it was")
    said = run(project, "review", "comment", "a/two", "--waiting", "--by", "Ada", "-m", "and new\nline")
    assert "a/two_01 (waiting) by Ada: and new\n    line" in said.stdout
    assert run(project, "review", "list").stdout.count("(waiting)") == 1
    assert [one["waiting"] for one in answer(project, "review", "list")["events"]] == [False, False, True]
    run(project, "review", "approve", "a/two", "--waiting", "--by", "Ada")
    project.build()
    assert "(waiting)" not in run(project, "review", "list").stdout


def test_an_import_names_what_it_replaces_though_that_was_said_later(project: QuickProject) -> None:
    row: Any = project.row("a/two")
    item = {key: row[key] for key in ("asset", "variation", "take", "master")}
    item |= {"action": "reject", "comment": "", "at": "2026-01-01T00:00:00Z"}
    file = project.folder / "ada.json"
    file.write_text(
        json.dumps({"schema": "cuesmith.decisions/1", "version": 1, "reviewer": "Ada", "decisions": [item]})
    )
    run(project, "review", "approve", "a/two", "--by", "Bo")
    said = run(project, "review", "import", file)
    assert "(2026-01-01T00:00:00Z) replaces Bo's later approve" in said.stderr
    assert Reviews(project.store).state().rejected == {row["take"]}
    assert answer(project, "review", "import", file)["replaced"] == []


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["catalog", "rollback", "--because", "\udcff"], "--because"),
        (["catalog", "rollback", "--by", "\udcff"], "--by"),
        (["catalog", "rollback", "--channel", "\udcff"], "--channel"),
        (["catalog", "channels", "\udcff"], "CHANNEL"),
        (["catalog", "show", "\udcff"], "ASSET"),
        (["catalog", "show", "--tag", "\udcff"], "--tag"),
        (["catalog", "show", "--model", "\udcff"], "--model"),
        (["catalog", "history", "\udcff"], "ASSET"),
        (["promote", "1", "--channel", "release", "--by", "\udcff"], "--by"),
        (["promote", "1", "--channel", "release", "--override", "\udcff", "--because", "x"], "--override"),
        (["promote", "1", "--channel", "release", "--override", "stale", "--because", "\udcff"], "--because"),
        (["review", "list", "--by", "\udcff"], "--by"),
        (["review", "approve", "a/two", "--by", "\udcff"], "--by"),
    ],
)
@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["text", "json"])
def test_bytes_that_are_no_text_are_refused_with_their_option(
    project: QuickProject, words: list[str], option: str, as_json: list[str]
) -> None:
    done = run(project, *words, *as_json)
    assert done.exit_code == 2, done.exception
    assert isinstance(done.exception, SystemExit)
    assert f"error: {option}: " in done.stderr


QUIET = TWO.replace("}", ", quality: {silence: 0 LUFS}}")
LOUD = "  - {id: a/loud, kind: sfx, prompt: hello, duration: 0.5s, loudness: -12 LUFS, true_peak: -12 dBTP}\n"


def outside(project: QuickProject, *words: object) -> Result:
    """A command that reads the manifest."""
    return run(project, words[0], project.manifest, *words[1:])


def test_what_is_quarantined_is_reported_by_plan_show_history_and_versions(project: QuickProject) -> None:
    project.write(QUIET.replace("a/two", "a/six") + ONE + TWO + THREE)
    project.build()
    planned = outside(project, "plan", "--check")
    assert planned.exit_code == 1
    assert "not published, failed a quality gate: a/six_01" in planned.stderr
    [missing] = json.loads(outside(project, "plan", "--json").stdout)["missing"]
    assert (missing["asset"], missing["stage"]) == ("a/six", "quality")
    shown = run(project, "catalog", "show", "a/six")
    assert shown.stdout.startswith("a/six_01")
    assert "quarantined: quality gate" in shown.stdout
    assert "0 masters, 1 missing" in shown.stderr
    assert "a/six" not in run(project, "catalog", "show", "a/one").stdout
    assert run(project, "catalog", "show", "no/such").exit_code == 2
    output = answer(project, "catalog", "show", "--state", "quarantined")
    assert (output["masters"], [gap["asset"] for gap in output["missing"]]) == ([], ["a/six"])
    assert "missing  a/six_01" in run(project, "catalog", "history", "a/six").stdout
    assert "1 missing  <- latest" in run(project, "catalog", "versions").stdout
    assert "quarantined: 1 master" in run(project, "promote", 2, "--channel", "release").stderr


def test_the_quarantine_says_which_gate_closed_and_what_helps(project: QuickProject) -> None:
    assert run(project, "catalog", "quarantine").stderr == "nothing is quarantined\n"
    project.write(QUIET + THREE)
    project.build()
    said = run(project, "catalog", "quarantine").stdout
    assert said.startswith("a/two_01")
    assert "cues.yaml:8" in said
    assert "silence: " in said
    [entry] = answer(project, "catalog", "quarantine", "a/*")["quarantined"]
    line = entry["failures"][0]["helps"]
    assert answer(project, "catalog", "quarantine", "b/*") == {"quarantined": []}
    assert "nothing that matches 'b/*'" in run(project, "catalog", "quarantine", "b/*").stderr
    assert answer(project, "catalog", "quarantine", "a/two_01")["quarantined"] == [entry]
    project.write(TWO.replace("}", f", {line}}}") + THREE)
    assert project.build()["failed"] == []
    assert answer(project, "catalog", "quarantine") == {"quarantined": []}


def test_a_missed_loudness_target_is_counted_filtered_and_stands_in_the_gate(project: QuickProject) -> None:
    project.write(LOUD + TWO)
    assert project.build()["off_target"] == 1
    said = outside(project, "build")
    assert "1 master missed the loudness target: cuesmith catalog show --state off-target" in said.stderr
    [row] = answer(project, "catalog", "show", "--state", "off-target")["masters"]
    assert row["asset"] == "a/loud"
    assert "1 because of the true-peak ceiling: peaks are too high; set a higher limit" in said.stderr
    shown = run(project, "catalog", "show", "--state", "off-target")
    assert "(true-peak ceiling)" in shown.stdout
    assert "1 master missed the loudness target: peaks are too high; set a higher limit" in shown.stderr
    refused = run(project, "promote", 2, "--channel", "release")
    assert "loudness: 1 master" in refused.stderr
    assert "target -12.0: " in refused.stderr
    project.write(TWO)
    assert project.build()["off_target"] == 0


def test_provenance_is_a_page_and_json_on_request(project: QuickProject) -> None:
    page = run(project, "catalog", "show", "a/two", "--provenance").stdout
    assert page.startswith("a/two_01\n")
    assert "prompt: second" in page
    assert "limit db: 9.0" in page
    assert "{" not in page.replace("{id}", "")
    [output] = answer(project, "catalog", "show", "a/two", "--provenance")["masters"]
    assert output["provenance"]["mastering"]["limit_db"] == 9.0


@pytest.mark.parametrize("words", [("show", "--version", 99), ("diff", 1, 99), ("table", "--version", 99)])
def test_a_version_that_does_not_exist_is_wrong_input(
    project: QuickProject, words: tuple[object, ...]
) -> None:
    done = CliRunner().invoke(app, ["catalog", *map(str, words), "--outputs", str(project.outputs)])
    assert done.exit_code == 2
    assert "the catalog has no version 99; to list all: cuesmith catalog versions" in done.stderr


def test_an_unknown_command_names_the_nearest() -> None:
    done = CliRunner().invoke(app, ["biuld"])
    assert done.exit_code == 2
    assert "no command 'biuld'; did you mean build?" in done.stderr


def test_plan_build_and_verify_tell_what_became_of_the_library(project: QuickProject) -> None:
    file = project.outputs / "library" / "latest" / "a" / "two_01.wav"
    assert outside(project, "plan", "--check").exit_code == 0
    file.unlink()
    planned = outside(project, "plan", "--check")
    assert (planned.exit_code, "library/latest/a/two_01.wav was deleted" in planned.stderr) == (1, True)
    checked = run(project, "verify")
    assert (checked.exit_code, "library/latest/a/two_01.wav: missing" in checked.stdout) == (5, True)
    said = outside(project, "build")
    assert said.exit_code == 0
    assert "restored in library/latest (deleted or replaced before): a/two_01.wav" in said.stderr
    assert run(project, "verify").exit_code == 0
    file.unlink()
    file.write_bytes(b"theirs")
    assert run(project, "verify").exit_code == 5
    mended = run(project, "verify", "--repair")
    assert (mended.exit_code, "a/two_01.wav: restored" in mended.stdout) == (0, True)
    assert (project.outputs / "library/replaced/a/two_01.wav").read_bytes() == b"theirs"
    assert run(project, "verify").exit_code == 0


def test_the_manifest_of_a_version_comes_back(project: QuickProject) -> None:
    text = project.manifest.read_text()
    change(project)
    assert run(project, "catalog", "manifest", "--version", 1).stdout == text
    output = answer(project, "catalog", "manifest")
    assert output["files"] == [{"name": "cues.yaml", "text": project.manifest.read_text()}]
    folder = project.folder / "old"
    assert run(project, "catalog", "manifest", "--version", 1, "--output", folder).exit_code == 0
    assert (folder / "cues.yaml").read_text() == text
    assert run(project, "catalog", "manifest", "--output", folder).exit_code == 2
