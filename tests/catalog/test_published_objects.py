"""What is published is whole: a damaged object stops the build, and a repair and another build make it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from quick import QuickProject

from pipeline.catalog.repair import repair_store
from pipeline.errors import StoreError, VerificationError
from pipeline.export import forget_export
from pipeline.provenance import TAKE_SCHEMA
from pipeline.report import write_report
from pipeline.store import ObjectRef

ONE = "  - {id: a/one, kind: sfx, prompt: first, duration: 0.3s}\n"
OTHER = "  - {id: a/one, kind: sfx, prompt: second, duration: 0.3s}\n"


def truncate(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:76])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.unlink()
    path.write_bytes(data)


def dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("gone"))


DAMAGES = pytest.mark.parametrize("damage", [truncate, flip, dangle, Path.unlink])


def object_of(project: QuickProject) -> Path:
    (item,) = project.row("a/one")["files"].values()
    path = project.store.path(ObjectRef.from_json(item))
    assert path is not None
    return path


@DAMAGES
def test_a_damaged_object_that_the_latest_version_does_not_use_is_not_published_again(
    project: QuickProject, damage: Callable[[Path], None]
) -> None:
    project.write(ONE)
    project.build()
    damaged = object_of(project)
    whole = damaged.read_bytes()
    project.write(OTHER)
    assert project.build()["version"] == 2
    damage(damaged)
    project.write(ONE)
    if damage is not Path.unlink:
        with pytest.raises((VerificationError, StoreError), match=rf"{damaged.name}.*verify --repair"):
            project.build()
        assert project.latest.number == 2
        repair_store(project.store)
        forget_export(project.store)
    assert project.build()["version"] == 3
    assert damaged.read_bytes() == whole
    assert [path.read_bytes() for path in (project.outputs / "library" / "latest").rglob("*.wav")] == [whole]
    assert project.harm() == []


def test_a_torn_object_of_the_latest_version_is_not_published_under_new_labels(project: QuickProject) -> None:
    project.write(ONE)
    project.build()
    truncate(object_of(project))
    project.write(ONE.replace("duration", "tags: [new], duration"))
    with pytest.raises(VerificationError, match=r"it has 76 bytes, and \d+ were recorded"):
        project.build()
    assert project.latest.number == 1


@DAMAGES
def test_a_damaged_take_is_not_mastered_again(project: QuickProject, damage: Callable[[Path], None]) -> None:
    project.write(ONE)
    project.build()
    take = project.store.get_record("takes", project.row("a/one")["take"], TAKE_SCHEMA)
    assert take is not None
    path = project.store.path(ObjectRef.from_json(take["object"]))
    assert path is not None
    damage(path)
    project.write(ONE.replace("duration", "loudness: -30 LUFS, duration"))
    result = project.build()
    if damage is Path.unlink:
        assert result["generated"] == 1
    else:
        assert "verify --repair" in result["failed"][0]["reason"]
        assert project.row("a/one")["status"] == "stale"
        repair_store(project.store)
        assert project.build()["version"] == 3
        assert project.row("a/one")["status"] == "current"
    assert project.harm() == []


def test_a_report_draws_no_damaged_sound(project: QuickProject) -> None:
    project.write(ONE)
    project.build()
    flip(object_of(project))
    pictures = project.outputs / "reports" / "cache"
    for path in pictures.rglob("*.js"):
        path.unlink()
    write_report(project.store)
    assert not list(pictures.rglob("*.js"))
