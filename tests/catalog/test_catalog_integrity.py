"""Catalog files are held to their hashes and to the records of their masters; what is damaged is put back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from quick import QuickProject
from reviewing import add
from toys import ONE, THREE, TWO
from typer.testing import CliRunner, Result

from flows.cli.app import app
from pipeline.catalog import Catalog, ReviewEvent, Reviews, check_store
from pipeline.catalog.repair import repair_store
from pipeline.errors import FormatError
from pipeline.provenance import MasterRow
from pipeline.release import promote
from pipeline.store import Store

AT = "2026-02-01T00:00:00Z"
USUAL = {"placeholder": "a demo", "credentials": "not shipped"}
EDITS: dict[str, Any] = {
    "license": "all rights reserved",
    "prompt": "something else",
    "seed": 7,
    "commercial": False,
    "model": "other",
    "pcm_sha256": "ab" * 32,
    "seconds": 9.0,
    "loudness_lufs": -3.0,
}


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> QuickProject:
    """Two versions, the first of them released; to be copied."""
    project = QuickProject(tmp_path_factory.mktemp("released") / "toys")
    project.first_build()
    project.say_all("approve")
    promote(project.catalog, 1, "release", at=AT, by="Pat", overrides=USUAL)
    project.write(ONE + TWO + THREE.replace("third", "changed"))
    project.build()
    return project


@pytest.fixture
def built(released: QuickProject, tmp_path: Path) -> QuickProject:
    """A copy of `released` that a test may change."""
    return released.copy(tmp_path / "toys")


def run(project: QuickProject, *words: object) -> Result:
    done = CliRunner().invoke(app, [*map(str, words), "--outputs", str(project.outputs)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exc_info
    return done


def file_of(project: QuickProject, number: int, name: str = "catalog.json") -> Path:
    return project.outputs / "catalog" / f"{number:06d}" / name


def edit(path: Path, change: Callable[[Any], Any]) -> bytes:
    """Change a JSON file by hand; returns its bytes from before."""
    before = path.read_bytes()
    value = json.loads(before)
    change(value)
    path.write_text(json.dumps(value))
    return before


def edit_row(project: QuickProject, number: int, **fields: Any) -> bytes:
    return edit(file_of(project, number), lambda value: value["masters"][0].update(fields))


@pytest.mark.parametrize("field", EDITS)
def test_an_edited_version_is_refused_everywhere_and_put_back(built: QuickProject, field: str) -> None:
    before = edit_row(built, 1, **{field: EDITS[field]})
    found = run(built, "verify")
    assert found.exit_code == 5
    assert "catalog/000001/catalog.json: damaged: it was changed after it was published" in found.stdout
    for words in (
        ("promote", 1, "--channel", "beta"),
        ("catalog", "table", "--version", 1),
        ("catalog", "show", "--version", 1),
        ("catalog", "rollback", "--to", 1),
        ("gc", "--dry-run"),
    ):
        said = run(built, *words)
        assert (said.exit_code, "cuesmith verify --repair" in said.stderr) == (5, True), said.output
    assert run(built, "verify", "--repair").exit_code == 0
    assert file_of(built, 1).read_bytes() == before
    assert built.harm() == []


def test_an_edited_record_is_reported_from_an_edited_version(built: QuickProject) -> None:
    digest = built.row("a/one")["master"]
    edit(
        built.outputs / "masters" / f"{digest}.json",
        lambda value: value["take"]["model"].update(license="all rights reserved"),
    )
    assert built.harm()[0].startswith(f"masters/{digest}.json: ")


def test_a_recipe_that_was_edited_in_a_record_is_found(built: QuickProject) -> None:
    row = built.row("a/two")
    for path in (f"takes/{row['take']}.json", f"masters/{row['master']}.json"):
        edit(
            built.outputs / path,
            lambda value: value.get("take", value)["recipe"].update(prompt="other"),
        )
        assert f"{path}: unreadable: {path} was changed: its recipe does not hash" in "\n".join(built.harm())


def test_every_move_records_the_hashes_of_its_version(built: QuickProject) -> None:
    run(built, "catalog", "rollback")
    for name in ("latest", "release"):
        channel = built.catalog.channel(name)
        assert channel is not None
        for move in channel["history"]:
            folder = file_of(built, move["version"]).parent
            assert {file.name for file in folder.iterdir()} == set(move["files"])
            for file, item in move["files"].items():
                copy = built.outputs / "store" / item["sha256"][:2] / f"{item['sha256']}{item['suffix']}"
                assert copy.read_bytes() == (folder / file).read_bytes()


def test_a_store_without_hashes_opens_and_a_move_records_them(built: QuickProject) -> None:
    built.forget_hashes()
    assert built.build()["published"] is False
    run(built, "catalog", "rollback", "--to", 1)
    channel = built.catalog.channel("latest")
    assert channel is not None
    assert ["files" in move for move in channel["history"]] == [False, False, True]
    assert built.harm() == []


def test_channels_that_record_different_hashes_are_reported(built: QuickProject) -> None:
    def change(channel: Any) -> None:
        channel["history"][0]["files"]["catalog.json"]["sha256"] = "ab" * 32

    edit(built.outputs / "channels" / "release.json", change)
    assert any("channels/release.json: damaged: it records another hash" in one for one in built.harm())
    assert run(built, "verify", "--repair").exit_code == 0
    assert built.harm() == []


def test_a_hash_that_was_edited_does_not_cost_the_version(built: QuickProject) -> None:
    def change(channel: Any) -> None:
        channel["history"][1]["files"]["catalog.json"]["sha256"] = "ab" * 32

    edit(channel_of(built), change)
    assert any("catalog/000002/catalog.json: damaged" in one for one in built.harm())
    assert run(built, "verify", "--repair").exit_code == 0
    assert built.harm() == []
    assert built.latest.number == 2


@pytest.mark.parametrize("name", ["catalog.json", "catalog.parquet", "catalog.csv", "build.json"])
def test_a_lost_copy_is_copied_again_and_a_lost_file_comes_from_its_copy(
    built: QuickProject, name: str
) -> None:
    path = file_of(built, 1, name)
    data = path.read_bytes()
    item = built.catalog.recorded_files(1)[name]
    copy = built.outputs / "store" / item["sha256"][:2] / f"{item['sha256']}{item['suffix']}"
    for victim in (copy, path):
        victim.unlink()
        assert len(built.harm()) == 1
        assert run(built, "verify", "--repair").exit_code == 0
        assert (copy.read_bytes(), path.read_bytes()) == (data, data)
        assert built.harm() == []


@pytest.mark.parametrize("number", [1, 2])
def test_a_version_without_a_copy_is_set_aside_and_hides_no_other(built: QuickProject, number: int) -> None:
    built.forget_hashes()
    file_of(built, number).write_bytes(file_of(built, number).read_bytes()[:200])
    listed = run(built, "catalog", "versions")
    assert listed.exit_code == 0
    assert len(listed.stdout.splitlines()) == 1
    assert f"{number}  cannot be read: catalog/00000{number}/catalog.json" in listed.stderr
    assert run(built, "report", "--version", 3 - number).exit_code == 0
    repaired = run(built, "verify", "--repair")
    if number == 1:
        assert repaired.exit_code == 5
        assert "cuesmith promote NUMBER --channel release" in repaired.stdout
    else:
        assert repaired.exit_code == 0
    output = built.build()
    assert (output["generated"], output["mastered"]) == (0, 0)
    assert output["version"] == (2 if number == 1 else 3)
    for words in (("catalog", "versions"), ("gc", "--dry-run"), ("report",), ("catalog", "history", "*")):
        assert run(built, *words).exit_code == 0


def test_one_broken_version_is_stepped_over_and_gone_after_a_repair(built: QuickProject) -> None:
    before = file_of(built, 1).read_bytes()
    file_of(built, 1).write_bytes(before[:300])
    assert json.loads(run(built, "catalog", "versions", "--json").stdout)["versions"][0]["version"] == 2
    assert run(built, "report").exit_code == 0
    assert "verify --repair" in run(built, "gc", "--dry-run").stderr
    assert run(built, "verify", "--repair").exit_code == 0
    assert file_of(built, 1).read_bytes() == before
    assert run(built, "gc", "--dry-run").exit_code == 0


OUTSIDE = [
    "../../outside.wav",
    "/outside.wav",
    "a/../../outside.wav",
    "..\\outside.wav",
    "C:outside.wav",
    "a//b.wav",
]


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("where", ["files", "waiting", "credentials"])
def test_a_file_outside_the_library_is_refused_as_it_is_read(
    built: QuickProject, path: str, where: str
) -> None:
    built.forget_hashes()

    def change(value: Any) -> None:
        row = value["masters"][0]
        item = next(iter(row["files"].values()))
        if where == "waiting":
            row["waiting"] = {**row, "reasons": [], "files": {path: item}}
        elif where == "credentials":
            row["credentials"] = {"signed_by": None, "reason": "", "unsigned": {path: item}}
        else:
            row["files"] = {path: item}

    edit(file_of(built, 1), change)
    with pytest.raises(FormatError, match="is outside the library"):
        built.catalog.read(1)
    before = sorted(built.folder.parent.rglob("*.wav"))
    assert run(built, "catalog", "rollback", "--to", 1).exit_code == 1
    assert sorted(built.folder.parent.rglob("*.wav")) == before
    assert any("is outside the library" in one for one in built.harm())


def channel_of(project: QuickProject, name: str = "latest") -> Path:
    return project.outputs / "channels" / f"{name}.json"


def set_version(value: Any) -> Callable[[Any], None]:
    return lambda channel: channel.update(version=value)


WRONG_CHANNELS: dict[str, Callable[[Any], Any]] = {
    "text": set_version("1"),
    "null": set_version(None),
    "float": set_version(1.0),
    "true": set_version(True),
    "zero": set_version(0),
    "another version than its last move": set_version(1),
    "no version": lambda channel: channel.pop("version"),
    "no history": lambda channel: channel.pop("history"),
    "an empty history": lambda channel: channel.update(history=[]),
    "a history of text": lambda channel: channel.update(history=["1", "2"]),
    "a move without its moment": lambda channel: channel["history"][0].update(at="yesterday"),
    "another name": lambda channel: channel.update(name="release"),
    "no schema": lambda channel: channel.pop("schema"),
}


@pytest.mark.parametrize("wrong", WRONG_CHANNELS)
@pytest.mark.parametrize("cure", [("verify", "--repair"), ("catalog", "rollback", "--to", 2)])
def test_a_channel_that_was_edited_is_reported_and_made_again(
    built: QuickProject, wrong: str, cure: tuple[Any, ...]
) -> None:
    before = built.catalog.channel("latest")
    assert before is not None
    edit(channel_of(built), WRONG_CHANNELS[wrong])
    assert "channels/latest.json: unreadable" in run(built, "verify").stdout
    for words in (("catalog", "show"), ("catalog", "channels"), ("report",)):
        said = run(built, *words)
        assert (said.exit_code, "cuesmith verify --repair" in said.stderr) == (1, True), said.output
    assert run(built, "catalog", "versions").exit_code == 0
    assert run(built, *cure).exit_code == 0
    after = built.catalog.channel("latest")
    assert after is not None
    assert [move["version"] for move in after["history"]][:2] == [1, 2]
    assert after["version"] == 2
    assert built.harm() == []


def conflict(path: Path) -> None:
    """As git leaves a file that two people changed."""
    text = path.read_text()
    middle = '<<<<<<< HEAD\n "version": 1,\n=======\n "version": 2,\n>>>>>>> theirs\n'
    path.write_text(text.replace(' "version": 2,\n', middle, 1))


@pytest.mark.parametrize("cure", [("verify", "--repair"), ("catalog", "rollback", "--to", 1)])
def test_a_channel_with_a_conflict_of_git_is_reported_and_cured(
    built: QuickProject, cure: tuple[Any, ...]
) -> None:
    conflict(channel_of(built))
    said = run(built, "catalog", "show")
    assert "channels/latest.json: not a channel: git left a merge conflict in line 4" in said.stderr
    assert run(built, *cure).exit_code == 0
    channel = built.catalog.channel("latest")
    assert channel is not None
    assert channel["version"] == (2 if cure[0] == "verify" else 1)
    assert built.harm() == []


def test_a_lost_channel_latest_is_made_again_from_the_versions(built: QuickProject) -> None:
    channel_of(built).unlink()
    assert "channels/latest.json: missing" in run(built, "verify").stdout
    assert run(built, "verify", "--repair").exit_code == 0
    assert built.latest.number == 2
    assert built.build()["published"] is False


def test_a_released_channel_of_which_nothing_is_left_is_for_a_person_to_point_again(
    built: QuickProject,
) -> None:
    channel_of(built, "release").write_bytes(b"")
    repaired = run(built, "verify", "--repair")
    assert repaired.exit_code == 0
    assert "cuesmith promote NUMBER --channel release" in repaired.stdout
    assert built.catalog.channels.names() == ["latest"]
    assert promote(built.catalog, 1, "release", at=AT, by="Pat", overrides=USUAL).moved


def test_a_damaged_quarantine_is_set_aside_and_the_next_build_makes_it_again(built: QuickProject) -> None:
    strict = "  - {id: a/bad, kind: sfx, prompt: second, duration: 0.4s, quality: {silence: 0 LUFS}}\n"
    built.write(ONE + strict)
    built.build()
    path = built.outputs / "catalog" / "quarantine.json"
    before = json.loads(path.read_text())
    path.write_bytes(path.read_bytes()[:100])
    build = ("build", built.manifest)
    for words in (build, ("report",)):
        said = run(built, *words)
        assert (said.exit_code, "cuesmith verify --repair" in said.stderr) == (5, True)
    assert run(built, "verify", "--repair").exit_code == 0
    run(built, *build)
    assert json.loads(path.read_text())["masters"] == before["masters"]


def test_a_lost_sound_of_an_old_version_is_left_to_a_person(project: QuickProject) -> None:
    for text in (ONE, ONE.replace("hello", "good day")):
        project.write(text)
        project.build()
    old = project.catalog.read(1).masters[0]
    for key in (f"masters/{old['master']}.json", f"takes/{old['take']}.json"):
        (project.outputs / key).unlink()
    for path in lost_files(project, old):
        path.unlink()
    found = run(project, "verify", "--json")
    assert found.exit_code == 5
    assert json.loads(found.stdout)["findings"]
    assert found.stderr.startswith("error: ")
    said = run(project, "verify", "--repair")
    assert said.exit_code == 5
    assert "no build makes it again: only old versions have it (1)" in said.stdout
    removed = run(project, "gc", "--keep", "1")
    assert removed.exit_code == 0, removed.stderr
    assert run(project, "verify").exit_code == 0


def test_a_lost_sound_of_the_latest_version_is_made_again(project: QuickProject) -> None:
    project.write(ONE)
    project.build()
    row = project.latest.masters[0]
    for path in (project.outputs / "masters" / f"{row['master']}.json", *lost_files(project, row)):
        path.unlink()
    assert run(project, "verify", "--repair").exit_code == 0
    project.build()
    assert run(project, "verify").exit_code == 0


def lost_files(project: QuickProject, row: MasterRow) -> list[Path]:
    hashes = {item["sha256"] for item in row["files"].values()}
    return [path for path in project.outputs.glob("store/*/*") if path.stem in hashes]


def review_lines(project: QuickProject) -> Path:
    return project.outputs / "reviews.jsonl"


def test_damaged_lines_of_reviews_are_reported_and_set_aside(built: QuickProject) -> None:
    path = review_lines(built)
    lines = path.read_bytes().splitlines(keepends=True)
    ours, theirs = lines[:2], lines[2:]
    path.write_bytes(
        b"<<<<<<< HEAD\n" + b"".join(ours) + b"=======\n" + b"".join(theirs) + b'>>>>>>> other\n{"at": 1}\n'
    )
    said = run(built, "catalog", "show")
    assert "reviews.jsonl:1: not a review event: git left a merge conflict" in said.stderr
    assert "reviews.jsonl: unreadable: reviews.jsonl:1" in run(built, "verify").stdout
    assert run(built, "verify", "--repair").exit_code == 0
    assert path.read_bytes() == b"".join(lines)
    assert built.harm() == []


def test_a_decision_whose_line_lost_its_end_is_reported_and_kept(built: QuickProject) -> None:
    path = review_lines(built)
    whole = path.read_bytes()
    path.write_bytes(whole.removesuffix(b"\n"))
    assert any("the line has no line feed" in one for one in built.harm())
    repair_store(built.store)
    assert path.read_bytes() == whole


def test_a_review_of_a_newer_release_stays(built: QuickProject) -> None:
    path = review_lines(built)
    newer = path.read_bytes() + b'{"schema": "cuesmith.review/9"}\n'
    path.write_bytes(newer)
    repaired = run(built, "verify", "--repair")
    assert (repaired.exit_code, "update cuesmith" in repaired.stdout) == (5, True)
    assert path.read_bytes() == newer


@pytest.mark.parametrize("event", [{"variation": "1"}, {"action": "like"}, {"master": None}, {"at": 5}])
def test_a_review_of_the_wrong_types_is_reported(built: QuickProject, event: dict[str, Any]) -> None:
    path = review_lines(built)
    value = {**json.loads(path.read_text().splitlines()[0]), **event}
    with path.open("a") as file:
        file.write(json.dumps(value) + "\n")
    with pytest.raises(FormatError, match=r"reviews.jsonl:5: not a review event"):
        Reviews(built.store).events()
    assert any("reviews.jsonl: unreadable" in one for one in built.harm())


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
@pytest.mark.parametrize("name", ["catalog.json", "catalog.parquet"])
def test_a_version_file_that_cannot_be_read_is_reported_and_put_back(built: QuickProject, name: str) -> None:
    path = file_of(built, 1, name)
    before = path.read_bytes()
    path.unlink()
    path.symlink_to(path.name)
    assert any(f"catalog/000001/{name}: unreadable" in one for one in built.harm())
    assert run(built, "verify", "--repair").exit_code == 0
    assert path.read_bytes() == before


def test_an_object_store_is_checked_and_repaired_like_a_folder(project: QuickProject) -> None:
    root = f"memory://{uuid4().hex}/outputs"
    project.build()
    store = Store.open(root)
    for room in ("store", "takes", "masters", "catalog", "channels"):
        for entry in project.store.backend.list(room):
            store.backend.write(entry.key, project.store.backend.read(entry.key))
    assert list(check_store(store)) == []
    before = store.backend.read("catalog/000001/catalog.json")
    version = Catalog(store).read(1)
    row = version.masters[0]
    event = ReviewEvent(AT, "Pat", "approve", row["asset"], 1, row["take"], row["master"])
    add(Reviews(store), event)
    store.backend.append("reviews.jsonl", b'{"at": 1}')
    for keys in (("catalog/000001/catalog.json", "catalog/000001/catalog.csv"), ("channels/latest.json",)):
        for key in keys:
            store.backend.write(key, b"<<<<<<< HEAD\n")
        assert {finding.key for finding in check_store(store)} >= set(keys)
        assert all(repair.done for repair in repair_store(store))
        assert list(check_store(store)) == []
    assert store.backend.read("catalog/000001/catalog.json") == before
    assert Reviews(store).events() == (event,)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("measurements",), {}),
        (("measurements", "duration_s"), "long"),
        (("quality",), {}),
        (("loudness",), {}),
        (("candidates",), [{"take": "ab", "object": None}]),
    ],
)
def test_a_record_that_lacks_what_rows_take_from_it_is_reported_and_costs_no_version(
    built: QuickProject, path: tuple[str, ...], value: Any
) -> None:
    built.forget_hashes()
    version = built.catalog.read(2)

    def change(record: Any) -> None:
        for key in path[:-1]:
            record = record[key]
        record[path[-1]] = value

    key = f"masters/{built.row('a/two')['master']}.json"
    edit(built.outputs / key, change)
    assert [one for one in built.harm() if not one.startswith(f"{key}: unreadable: {key} is damaged")] == []
    assert run(built, "catalog", "table").exit_code in (0, 5)
    assert run(built, "verify", "--repair").exit_code == 0
    assert built.catalog.read(2) == version
    built.build()
    assert built.harm() == []


def test_a_build_file_of_another_shape_leaves_its_figures_out_of_the_report(built: QuickProject) -> None:
    built.forget_hashes()
    edit(file_of(built, 2, "build.json"), lambda value: value.update(failed=[["a/one"]], stages="long"))
    assert run(built, "report").exit_code == 0
