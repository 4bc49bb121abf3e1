"""A second export target: what a new file beside the library takes, and what every target gets for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

import pytest
from quick import QuickProject
from toys import ONE, THREE, TWO

from pipeline.catalog import Version
from pipeline.export import LIBRARY, Exporter, changed_files, export_findings, export_latest
from pipeline.provenance import ObjectJson
from pipeline.store import Store


def engine_exporter(store: Store) -> Exporter:
    """The sounds tagged ``x`` for a game engine, with a generated list of them."""

    def files(version: Version) -> Mapping[str, ObjectJson]:
        rows = [row for row in version.masters if "x" in row["tags"]]
        sounds = {f"audio/{path}": item for row in rows for path, item in row["files"].items()}
        listed = store.put(json.dumps(sorted(sounds)).encode(), ".json")
        return {**sounds, "sounds.json": cast("ObjectJson", listed.to_json())}

    return Exporter(
        name="engine",
        folder="exports/engine/sounds",
        ledger="exports/engine.json",
        replaced="exports/replaced",
        files=files,
    )


@pytest.fixture
def engine(project: QuickProject) -> Exporter:
    project.write(ONE + TWO + THREE)
    project.build()
    return engine_exporter(project.store)


def exported(project: QuickProject) -> set[str]:
    root = project.outputs / "exports" / "engine" / "sounds"
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_a_target_exports_its_own_files_and_leaves_the_library_alone(
    project: QuickProject, engine: Exporter
) -> None:
    result = export_latest(project.catalog, engine)
    assert result is not None
    assert result.to_json() == {"restored": [], "set_aside": {}}
    assert exported(project) == {".version", "sounds.json", "audio/a/one_01.wav", "audio/a/one_02.wav"}
    assert json.loads((result.folder / "sounds.json").read_text()) == [
        "audio/a/one_01.wav",
        "audio/a/one_02.wav",
    ]
    assert changed_files(project.store, LIBRARY) == []


def test_only_files_of_an_earlier_export_are_removed(project: QuickProject, engine: Exporter) -> None:
    export_latest(project.catalog, engine)
    foreign = project.outputs / "exports" / "engine" / "sounds" / "audio" / "a" / "mine.wav"
    foreign.write_bytes(b"mine")
    project.write(ONE.replace("variations: 2", "variations: 1") + TWO + THREE)
    project.build()
    export_latest(project.catalog, engine)
    assert exported(project) == {".version", "sounds.json", "audio/a/one_01.wav", "audio/a/mine.wav"}
    assert foreign.read_bytes() == b"mine"


def test_a_deleted_file_is_found_and_restored_and_one_in_the_way_is_moved_aside(
    project: QuickProject, engine: Exporter
) -> None:
    result = export_latest(project.catalog, engine)
    assert result is not None
    (result.folder / "sounds.json").unlink()
    sound = result.folder / "audio" / "a" / "one_01.wav"
    sound.unlink()
    sound.write_bytes(b"somebody else's")
    assert [finding.key for finding in export_findings(project.catalog, engine)] == [
        "exports/engine/sounds/audio/a/one_01.wav",
        "exports/engine/sounds/sounds.json",
    ]
    again = export_latest(project.catalog, engine)
    assert again is not None
    assert {file.path for file in again.restored} == {"audio/a/one_01.wav", "sounds.json"}
    assert again.moved_aside == {"audio/a/one_01.wav": "exports/replaced/audio/a/one_01.wav"}
    assert export_findings(project.catalog, engine) == []
