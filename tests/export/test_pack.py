"""``pack.json`` says what the files of a pack really hold."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import jsonschema
import pytest
import soundfile
from packs import LOOPED, export, files_of, read_pack
from quick import QuickProject
from toys import ONE, WITH_MUSIC

from pipeline.errors import UsageError, VerificationError
from pipeline.export.targets import TARGETS
from pipeline.store import ObjectRef

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "pack.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("target", TARGETS)
def test_a_pack_is_valid_and_equals_its_files(toys: QuickProject, tmp_path: Path, target: str) -> None:
    folder = tmp_path / "game" / "audio"
    export(toys, target, folder)
    pack = read_pack(folder)
    jsonschema.validate(pack, SCHEMA)
    assert [sound["id"] for sound in pack["sounds"]] == sorted(sound["id"] for sound in pack["sounds"])
    assert {sound["id"]: len(sound["files"]) for sound in pack["sounds"]}["sfx/door"] == 3
    for path, file in files_of(pack).items():
        data, info = (folder / path).read_bytes(), soundfile.info(folder / path)
        assert (file["sha256"], file["size"]) == (hashlib.sha256(data).hexdigest(), len(data))
        assert (file["samples"], file["sample_rate_hz"], file["channels"]) == (
            info.frames,
            info.samplerate,
            info.channels,
        )
        row = next(row for row in toys.latest.masters if row["master"] == file["master"])
        assert file["loop"] == (row["loop"] and {"start": row["loop"][0], "end": row["loop"][1]})
        assert (file["loudness_lufs"], file["true_peak_dbtp"]) == (
            row["loudness_lufs"],
            row["true_peak_dbtp"],
        )
    assert pack["bytes"] == sum(file["size"] for file in files_of(pack).values())
    assert {row["folder"]: row["files"] for row in pack["sizes"]} == {
        "music": 3,
        "music/forest": 1,
        "sfx": 4,
    }


def test_ids_are_unique_and_the_same_in_every_target_and_folder(toys: QuickProject, tmp_path: Path) -> None:
    ids = []
    for target in ("godot", "unity"):
        export(toys, target, tmp_path / target)
        ids.append({(file["master"], file["id"]) for file in files_of(read_pack(tmp_path / target)).values()})
    assert ids[0] == ids[1]
    assert len({name for _, name in ids[0]}) == len(ids[0]) == 8


def test_lossy_deliveries_have_the_loop_and_the_levels_of_the_decoded_file(
    project: QuickProject, tmp_path: Path
) -> None:
    project.write(LOOPED, WITH_MUSIC.replace("[wav]", "[ogg]"))
    project.build()
    export(project, "godot", tmp_path / "game")
    for path, file in files_of(read_pack(tmp_path / "game")).items():
        frames = soundfile.info(tmp_path / "game" / path).frames
        row = next(row for row in project.latest.masters if row["master"] == file["master"])
        assert file["samples"] == frames
        assert file["true_peak_dbtp"] is not None
        assert file["true_peak_dbtp"] <= -1.0
        if row["loop"]:
            assert file["loop"] == {"start": row["loop"][0], "end": row["loop"][1]}


def test_a_missing_sound_is_listed(project: QuickProject, tmp_path: Path) -> None:
    project.write(ONE + "  - {id: a/nothing, kind: sfx, prompt: fail, duration: 0.5s}\n")
    project.build()
    export(project, "unreal", tmp_path / "game")
    pack = read_pack(tmp_path / "game")
    jsonschema.validate(pack, SCHEMA)
    assert [(row["asset"], row["code"]) for row in pack["missing"]] == [("a/nothing", "failed")]


def test_a_sound_without_a_format_of_the_target_is_an_error_that_names_it(
    project: QuickProject, tmp_path: Path
) -> None:
    project.write(ONE, WITH_MUSIC.replace("[wav]", "[ogg]"))
    project.build()
    with pytest.raises(UsageError, match=r"2 sounds have no file in wav: a/one_01, a/one_02; add one"):
        export(project, "wwise", tmp_path / "game")
    assert not (tmp_path / "game").exists()


def test_a_damaged_object_is_never_exported(project: QuickProject, tmp_path: Path) -> None:
    project.write(ONE)
    project.build()
    [item] = project.row("a/one")["files"].values()
    path = project.store.path(ObjectRef.from_json(item))
    assert path is not None
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)
    with pytest.raises(VerificationError, match="verify --repair"):
        export(project, "godot", tmp_path / "game")
    assert not (tmp_path / "game" / "a" / "one_01.wav").exists()
