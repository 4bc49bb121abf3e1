"""A small store with every kind of file, each damaged in every way: reported without a traceback; the advice helps."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import damage
import pytest
from quick import QuickProject
from toys import ONE, THREE, TWO
from typer.testing import CliRunner, Result

from flows.cli.app import app
from pipeline.catalog import Reviews
from pipeline.release import promote

AT = "2026-02-01T00:00:00Z"
STRICT = "  - {id: c/bad, kind: sfx, prompt: second, duration: 0.4s, quality: {silence: 0 LUFS}}\n"
KINDS = {
    "a take": "takes/*.json",
    "a master": "masters/*.json",
    "an old version": "catalog/000001/catalog.json",
    "the latest version": "catalog/000003/catalog.json",
    "a Parquet table": "catalog/*/catalog.parquet",
    "a CSV table": "catalog/*/catalog.csv",
    "a build": "catalog/*/build.json",
    "the quarantine": "catalog/quarantine.json",
    "channel latest": "channels/latest.json",
    "channel release": "channels/release.json",
    "reviews": "reviews.jsonl",
    "a journal": "runs/*/journal.jsonl",
    "a read manifest": "cache/manifests/*.json",
}
ONLY_A_COPY = {"a read manifest"}
"""Nothing is lost with it."""
MAY_END_EARLY = {"a journal", "reviews"}
"""A file that grows: what was cut off at its end may never have been there."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> QuickProject:
    """Three versions, one released, with reviews, a master that waits and one in quarantine."""
    project = QuickProject(tmp_path_factory.mktemp("whole"))
    project.build()
    project.say_all("approve")
    usual = {"placeholder": "a demo", "credentials": "not shipped"}
    assert promote(project.catalog, 1, "release", at=AT, by="Pat", overrides=usual).moved
    project.write(ONE.replace("hello", "other") + TWO + THREE)
    project.build()
    project.write(ONE.replace("hello", "other") + TWO.replace("second", "third") + STRICT)
    project.build()
    project.say("reject", project.row("a/two"))
    project.build()
    assert project.harm() == []
    return project


def run(project: QuickProject, *words: object) -> Result:
    """A command that may fail, and never with a traceback."""
    manifest = [str(project.manifest)] if words[0] == "plan" else []
    done = CliRunner().invoke(app, [*map(str, words), *manifest, "--outputs", str(project.outputs)])
    assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exc_info)
    return done


def damaged(project: QuickProject, kind: str, how: damage.Damage, seed: int) -> tuple[Path, bytes]:
    random = Random(f"{kind} {how.__name__} {seed}")
    path = random.choice(sorted(project.outputs.glob(KINDS[kind])))
    before = path.read_bytes()
    path.write_bytes(how(before, random))
    assert path.read_bytes() != before
    return path, before


LOOKS = (
    ("catalog", "versions"),
    ("catalog", "show"),
    ("catalog", "show", "--provenance"),
    ("catalog", "channels"),
    ("catalog", "history", "*"),
    ("catalog", "table"),
    ("plan",),
    ("gc", "--dry-run"),
    ("report",),
)


def check_damage(whole: QuickProject, folder: Path, kind: str, how: damage.Damage, seed: int) -> None:
    project = whole.copy(folder / "damaged")
    path, before = damaged(project, kind, how, seed)
    found = run(project, "verify")
    harmless = kind in ONLY_A_COPY or (kind in MAY_END_EARLY and how in (damage.truncated, damage.emptied))
    assert found.exit_code == 5 or (harmless and found.exit_code == 0), found.output
    if found.exit_code == 5:
        assert path.relative_to(project.outputs).as_posix() in found.stdout
    for words in LOOKS:
        looked = run(project, *words)
        assert looked.exit_code == 0 or any(advice in looked.stderr for advice in ADVICE), looked.output
    run(project.copy(folder / "rolled back"), "catalog", "rollback", "--to", "2")
    repaired = run(project, "verify", "--repair")
    if "update cuesmith" in repaired.stdout:
        assert how is damage.newer_schema
        assert repaired.exit_code == 5
        path.write_bytes(before)
    else:
        assert repaired.exit_code == 0, repaired.output
    check_whole(project, whole, kind)


def check_whole(project: QuickProject, whole: QuickProject, kind: str) -> None:
    """The advice was followed, and a build later nothing is missing."""
    project.build()
    assert run(project, "verify").exit_code == 0, run(project, "verify").output
    for words in LOOKS:
        assert run(project, *words).exit_code == 0, (words, run(project, *words).output)
    output = json.loads(run(project, "catalog", "versions", "--json").stdout)
    assert output["broken"] == []
    assert [one["version"] for one in output["versions"]][:3] == [1, 2, 3]
    assert [project.catalog.read(number) for number in (1, 2)] == [
        whole.catalog.read(number) for number in (1, 2)
    ]
    assert Reviews(project.store).events() == Reviews(whole.store).events() or kind == "reviews"
    if kind != "reviews":
        assert project.library().keys() == whole.library().keys()


CASES = [
    (kind, how)
    for kind in KINDS
    for how in ((*damage.TO_ANY, damage.changed_byte) if kind.endswith("table") else damage.TO_JSON)
    if kind not in ("a journal", "a read manifest") or how in damage.TO_ANY
]
QUICK = [Random(kind).choice([case for case in CASES if case[0] == kind]) for kind in KINDS]
ADVICE = ("cuesmith verify --repair", "update cuesmith")


def names(case: tuple[str, damage.Damage]) -> str:
    return f"{case[0]}, {case[1].__name__}"


@pytest.mark.parametrize("case", QUICK, ids=names)
def test_damage_is_reported_and_the_advice_helps(
    whole: QuickProject, tmp_path: Path, case: tuple[str, damage.Damage]
) -> None:
    check_damage(whole, tmp_path, *case, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("case", CASES, ids=names)
def test_every_damage_to_every_file_is_reported(
    whole: QuickProject, tmp_path: Path, case: tuple[str, damage.Damage], seed: int
) -> None:
    check_damage(whole, tmp_path, *case, seed=seed)
