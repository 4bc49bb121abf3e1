"""An export changes only what differs and only what is its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from packs import export, files_of, read_pack, tree
from quick import QuickProject
from toys import HEAD, ONE, THREE, TWO

from pipeline.errors import FormatError, UsageError
from pipeline.export.folder import LEDGER
from pipeline.store import disk

ALL = ("godot", "godot3", "unity", "unreal", "wwise", "fmod")
FOREIGN = {
    "a/one_01.wav.import.bak": b"mine",
    "a/mine.wav": b"RIFF",
    "a/mine.wav.import": b"[params]\n",
    "b.meta": b"folder",
    "notes/todo.txt": b"later",
    ".hidden": b"",
}


@pytest.fixture
def game(tmp_path: Path) -> Path:
    return tmp_path / "game" / "audio"


def add_foreign_files(folder: Path) -> None:
    for path, data in FOREIGN.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def foreign_files(folder: Path) -> dict[str, bytes]:
    return {path: data for path, data in tree(folder).items() if path in FOREIGN}


def test_a_re_roll_changes_its_own_files_and_no_id(project: QuickProject, tmp_path: Path) -> None:
    project.write(ONE + TWO)
    project.build()
    before, packs, times = {}, {}, {}
    for target in ALL:
        export(project, target, tmp_path / target)
        before[target], packs[target] = tree(tmp_path / target), read_pack(tmp_path / target)
        times[target] = {path: (tmp_path / target / path).stat().st_mtime_ns for path in before[target]}
    # An approved sibling keeps its level; others would take the new gain that the variations share.
    project.say("approve", project.row("a/one", 1))
    project.say("reject", project.row("a/one", 2))
    project.build()
    changed = {"a/one_02.wav", "pack.json"}
    for target in ALL:
        game = tmp_path / target
        result, after = export(project, target, game), tree(game)
        assert before[target].keys() == after.keys()
        assert {path for path in after if before[target][path] != after[path]} == changed
        assert set(result.changes.written) == changed
        untouched = after.keys() - changed
        assert all((game / path).stat().st_mtime_ns == times[target][path] for path in untouched)
        ids = [
            {path: file["id"] for path, file in files_of(pack).items()}
            for pack in (packs[target], read_pack(game))
        ]
        assert ids[0] == ids[1]


def test_foreign_files_stay_and_ours_go_with_their_sound(project: QuickProject, tmp_path: Path) -> None:
    project.write(ONE + TWO + THREE)
    project.build()
    for target in ALL:
        export(project, target, tmp_path / target)
        add_foreign_files(tmp_path / target)
    project.write(TWO)
    project.build()
    for target in ALL:
        game = tmp_path / target
        result = export(project, target, game)
        assert foreign_files(game) == FOREIGN
        sounds = {path for path in tree(game) if path.endswith(".wav")}
        assert sounds == {"a/two_01.wav", "a/mine.wav"}
        assert {"a/one_01.wav", "a/one_02.wav", "b/three_01.wav"} <= set(result.changes.removed)
        assert not (game / "b").exists()
        assert not [path for path in tree(game) if "one_0" in path and path not in FOREIGN]


def test_no_change_writes_nothing(project: QuickProject, game: Path) -> None:
    project.first_build()
    export(project, "unity", game)
    times = {path: path.stat().st_mtime_ns for path in game.rglob("*")}
    result = export(project, "unity", game)
    assert (result.changes.written, result.changes.removed, result.changes.kept) == ((), (), ())
    assert {path: path.stat().st_mtime_ns for path in game.rglob("*")} == times


def test_a_file_of_somebody_else_in_the_way_stops_the_export_before_any_change(
    project: QuickProject, game: Path
) -> None:
    project.first_build()
    (game / "a").mkdir(parents=True)
    (game / "a" / "one_01.wav").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"in the way: a/one_01\.wav; move them away"):
        export(project, "godot", game)
    assert tree(game) == {"a/one_01.wav": b"mine"}


def test_a_link_that_leads_out_of_the_folder_is_in_the_way(
    project: QuickProject, game: Path, tmp_path: Path
) -> None:
    project.first_build()
    game.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (game / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="in the way"):
        export(project, "godot", game)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_an_edited_sound_is_kept_and_reported_and_a_deleted_one_is_written_again(
    project: QuickProject, game: Path
) -> None:
    project.write(ONE)
    project.build()
    export(project, "godot", game)
    (game / "a" / "one_01.wav").write_bytes(b"edited by a person")
    (game / "a" / "one_02.wav").unlink()
    for written in ((("a/one_02.wav",)), ()):
        result = export(project, "godot", game)
        assert result.changes.kept == ("a/one_01.wav",)
        assert result.changes.written == written
        assert (game / "a" / "one_01.wav").read_bytes() == b"edited by a person"
    (game / "a" / "one_01.wav").unlink()
    assert export(project, "godot", game).changes.written == ("a/one_01.wav",)


IMPORTED = """\
[remap]

importer="wav"
type="AudioStreamWAV"
uid="uid://mine"
path="res://.godot/imported/theme.sample"

[deps]

source_file="res://theme_01.wav"

[params]

force/max_rate_hz=44100
edit/loop_mode=2
edit/loop_begin=1
edit/loop_end=2
compress/mode=2
"""


def test_import_settings_that_an_engine_rewrote_get_new_loop_points_and_keep_the_rest(
    project: QuickProject, game: Path
) -> None:
    head = "cuesmith: 1\nproject: toys\ndefaults:\n  music: {engine: toy, formats: [wav]}\nassets:\n"
    loop = "  - {id: theme, kind: music, prompt: theme, duration: 3s, loop: {intro: 1s}}\n"
    project.write(loop, head)
    project.build()
    export(project, "godot", game)
    settings = game / "theme_01.wav.import"
    settings.write_text(IMPORTED)
    assert export(project, "godot", game).changes.written == ()
    assert settings.read_text() == IMPORTED
    project.write(loop.replace("duration: 3s", "duration: 2.5s"), head)
    project.build()
    assert "theme_01.wav.import" in export(project, "godot", game).changes.written
    points = files_of(read_pack(game))["theme_01.wav"]["loop"]
    text = settings.read_text()
    assert f"edit/loop_begin={points['start']}\nedit/loop_end={points['end']}\ncompress/mode=0\n" in text
    assert 'uid="uid://mine"' in text
    assert "force/max_rate_hz=44100" in text
    project.write("  - {id: other, kind: music, prompt: other, duration: 1s}\n", head)
    project.build()
    export(project, "godot", game)
    assert not settings.exists()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moment", range(0, 12, 3))
def test_after_a_kill_the_next_export_completes_and_foreign_files_stay(
    project: QuickProject, game: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    project.write(ONE + TWO)
    project.build()
    add_foreign_files(game)
    replace, calls = disk.replace, 0

    def kill(source: str, target: str) -> None:
        nonlocal calls
        calls += 1
        if calls > moment:
            raise Killed
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "replace", kill)
        with pytest.raises(Killed):
            export(project, "unity", game)
    export(project, "unity", game)
    assert not list(game.rglob("*.new"))
    assert foreign_files(game) == FOREIGN
    project.write(TWO)
    project.build()
    export(project, "unity", game)
    assert {path for path in tree(game) if path.endswith((".wav", ".wav.meta"))} - FOREIGN.keys() == {
        "a/two_01.wav",
        "a/two_01.wav.meta",
    }


def test_after_a_kill_a_file_of_either_version_is_ours(
    project: QuickProject, game: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, calls = disk.replace, 0

    def kill(source: str, target: str) -> None:
        nonlocal calls
        calls += target.endswith(".wav")
        if calls > 1:
            raise Killed
        replace(source, target)

    for number, loudness in enumerate((-20, -22, -24)):
        project.write(ONE + TWO, HEAD.replace("formats:", f"loudness: {loudness} LUFS, formats:"))
        project.build()
        with monkeypatch.context() as patch:
            if number == 1:
                patch.setattr(disk, "replace", kill)
                with pytest.raises(Killed):
                    export(project, "godot", game)
            else:
                assert export(project, "godot", game).changes.kept == ()
    assert {path: data for path, data in tree(game).items() if path.endswith(".wav")} == project.library()


def survive(project: QuickProject, game: Path, rounds: int) -> None:
    library = project.outputs / "library" / "latest"
    for number in range(rounds):
        project.write((ONE, ONE + TWO, TWO + THREE)[number % 3])
        project.build()
        export(project, "godot", game)
        if number == 0:
            for folder in (game, library):
                add_foreign_files(folder)
    assert foreign_files(game) == foreign_files(library) == FOREIGN


def test_foreign_files_survive_builds_and_exports_in_target_and_library(
    project: QuickProject, game: Path
) -> None:
    survive(project, game, 5)


@pytest.mark.slow
def test_foreign_files_survive_100_builds_and_exports(project: QuickProject, game: Path) -> None:
    survive(project, game, 100)


def test_folders_that_cannot_be_used_are_refused(project: QuickProject, tmp_path: Path) -> None:
    project.first_build()
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        export(project, "godot", tmp_path / "file")
    for folder in (project.outputs, project.outputs / "library" / "latest", project.folder):
        with pytest.raises(UsageError, match="in or around the outputs folder"):
            export(project, "godot", folder)
    export(project, "godot", tmp_path / "game")
    with pytest.raises(UsageError, match="has an export for godot; choose another folder for unity"):
        export(project, "unity", tmp_path / "game")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "cuesmith.export/1"}', "\xff"])
def test_a_damaged_ledger_is_an_error_and_nothing_changes(
    project: QuickProject, game: Path, text: str
) -> None:
    project.first_build()
    export(project, "godot", game)
    before = tree(game)
    (game / LEDGER).write_text(text, encoding="latin-1")
    with pytest.raises(FormatError, match=r"cuesmith-export\.json"):
        export(project, "godot", game)
    assert tree(game) == before


def test_a_ledger_cannot_make_an_export_remove_a_file_outside_its_folder(
    project: QuickProject, game: Path, tmp_path: Path
) -> None:
    project.first_build()
    export(project, "godot", game)
    outside = game.parent / "outside.txt"
    outside.write_text("mine")
    value = json.loads((game / LEDGER).read_text())
    stamp = outside.stat()
    for path in ("../outside.txt", str(outside)):
        value["files"][path] = ["0" * 64, stamp.st_size, stamp.st_mtime_ns, True]
    (game / LEDGER).write_text(json.dumps(value))
    export(project, "godot", game)
    assert outside.read_text() == "mine"
