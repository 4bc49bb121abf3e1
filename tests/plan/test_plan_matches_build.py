"""What a plan says is what a build does, row by row, whatever is edited, reviewed or rolled back."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from quick import QuickProject, build_prepared
from toys import ONE, TWO

from pipeline.build.plan_rows import planned_rows
from pipeline.catalog import Place, Version
from pipeline.catalog.diff import PROMOTED
from pipeline.catalog.version import compared
from pipeline.plan import Reason, values
from pipeline.provenance import MasterRow
from pipeline.release import rollback

UNCHANGED = ("reuse", "locked")


class Designer:
    """A manifest and its reviews, changed at random."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.project = QuickProject(folder)
        self.manifest: dict[str, Any] = {
            "cuesmith": 1,
            "project": "toys",
            "seed": 1,
            "defaults": {"sfx": {"engine": "toy", "formats": ["wav"], "loudness": "-18 LUFS"}},
        }
        self.assets = [self.new_asset(number) for number in range(5)]
        self.write()
        self.project.build()

    def new_asset(self, number: int) -> dict[str, Any]:
        return {
            "id": f"{self.chance.choice('ab')}/cue{number}",
            "kind": "sfx",
            "prompt": "hello",
            "duration": "0.1s",
            "variations": self.chance.randint(1, 3),
            "tags": ["x"],
        }

    def write(self) -> None:
        self.project.manifest.write_text(json.dumps({**self.manifest, "assets": self.assets}))

    def edit(self) -> str:
        """Change something; returns what."""
        edits: list[Callable[[], Any]] = [
            self.set_key,
            self.set_key,
            self.set_key,
            self.set_key,
            self.set_several_keys,
            self.set_default,
            self.add,
            self.remove,
            self.review,
            self.review,
            self.review_waiting,
            self.approve_old,
            self.roll_back,
        ]
        chosen = self.chance.choice(edits)
        said = chosen()
        self.write()
        return f"{chosen.__name__}: {said}"

    def set_key(self) -> Any:
        values: dict[str, list[Any]] = {
            "prompt": ["hello", "bye", "again"],
            "variations": [1, 2, 3],
            "candidates": [1, 2],
            "duration": ["0.1s", "0.12s"],
            "tags": [["x"], ["x", "y"], []],
            "lock": [True, False],
            "naming": ["{id}_{variation}", "{id}-take{variation}"],
            "loudness": ["-18 LUFS", "-20 LUFS"],
            "seed": [1, 2],
            "formats": [["wav"], ["wav", "flac"]],
            "ucs": [{"category": "FOOTHmn"}, {"category": "AMBForst", "name": "Forest"}],
            "sampling": [{"temperature": 0.5}, {"temperature": 0.9}],
            "bpm": [90, 120],
            "fade": [{"in": "5ms"}, {"in": "9ms"}],
        }
        key = self.chance.choice(sorted(values))
        asset = self.chance.choice(self.assets)
        asset[key] = self.chance.choice(values[key])
        return asset["id"], key, asset[key]

    def set_several_keys(self) -> Any:
        return [self.set_key() for _ in range(3)]

    def set_default(self) -> Any:
        if self.chance.random() < 0.5:
            self.manifest["seed"] = self.chance.choice([1, 2])
            return "seed", self.manifest["seed"]
        loudness = self.chance.choice(["-18 LUFS", "-22 LUFS"])
        self.manifest["defaults"]["sfx"]["loudness"] = loudness
        return loudness

    def add(self) -> Any:
        number = max(int(asset["id"].partition("/cue")[2]) for asset in self.assets) + 1
        self.assets.append(self.new_asset(number))
        return self.assets[-1]["id"]

    def remove(self) -> Any:
        if len(self.assets) > 2:
            return self.assets.pop(self.chance.randrange(len(self.assets)))["id"]
        return None

    def review(self) -> Any:
        row = self.chance.choice(self.project.latest.masters)
        action = self.chance.choice(["approve", "approve", "reject", "reroll", "lock", "unlock"])
        self.project.say(action, row)
        return action, row["asset"], row["variation"]

    def review_waiting(self) -> Any:
        waiting: list[Any] = [row["waiting"] for row in self.project.latest.masters if "waiting" in row]
        if not waiting:
            return None
        row = self.chance.choice(waiting)
        self.project.say(self.chance.choice(["approve", "approve", "reject"]), row)
        return row["asset"], row["variation"]

    def approve_old(self) -> Any:
        version = self.project.catalog.read(self.chance.choice(self.project.catalog.numbers()))
        row = self.chance.choice(version.masters)
        self.project.say("approve", row)
        return version.number, row["asset"], row["variation"]

    def roll_back(self) -> Any:
        catalog = self.project.catalog
        channel = catalog.channel("latest")
        assert channel is not None
        numbers = sorted({move["version"] for move in channel["history"]} - {channel["version"]})
        if not numbers:
            return None
        chosen = self.chance.choice(numbers)
        rollback(catalog, "latest", at="2026-02-01T00:00:00Z", by="Pat", to=chosen)
        return chosen


def rows_that_differ(before: Version, after: Version) -> set[Place]:
    old, new = before.by_variation, after.by_variation

    def seen(row: MasterRow | None) -> dict[str, Any] | None:
        return compared(row) if row else None

    return {place for place in {*old, *new} if seen(old.get(place)) != seen(new.get(place))}


NO_DIFFERENCE = {
    reason.words
    for reason in (PROMOTED, *vars(values).values())
    if isinstance(reason, Reason) and not reason.is_difference
}


def words(reasons: Iterable[str]) -> set[str]:
    """The differences among ``reasons``: a take that waits and a row that is locked say theirs after a colon or in
    brackets, and how a master came about is no difference."""
    found = set()
    for reason in reasons:
        if reason.startswith("status changed"):
            found |= {reason.partition(" (")[0], *reason.partition(" (")[2][:-1].split("; ")}
        else:
            found |= set(reason.removeprefix("a new take waits for review: ").split(", "))
    return found - {*NO_DIFFERENCE, ""}


def check_build(designer: Designer, what: str) -> None:
    """Plan and build, and hold the one against the other."""
    project = designer.project
    before = project.latest
    prepared = project.prepare()
    rows = {(row.asset, row.variation): row for row in planned_rows(prepared)}
    result = build_prepared(prepared)
    after = project.latest
    changing = {place for place, row in rows.items() if row.action not in UNCHANGED}
    assert changing == rows_that_differ(before, after), what
    assert result["published"] == prepared.publishes == bool(changing), what
    assert result["generated"] == len(list(prepared.plan.orders())), what
    made = [row for row in rows.values() if row.action in ("generate", "re-master")]
    assert result["mastered"] == len(made), what
    for place in changing & before.by_variation.keys() & after.by_variation.keys():
        recorded = (after.reasons or {})[place]
        assert words(rows[place].reasons) == words(recorded), (what, place)
    again = project.prepare()
    assert not again.publishes, what
    assert {row.action for row in planned_rows(again)} <= set(UNCHANGED), what


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_random_edits_are_built_as_they_are_planned(seed: int, tmp_path: Path) -> None:
    designer = Designer(tmp_path / "toys", seed)
    for number in range(10):
        check_build(designer, f"edit {number}: {designer.edit()}")


@pytest.mark.slow
def test_two_hundred_random_edits_are_built_as_they_are_planned(tmp_path: Path) -> None:
    for seed in range(10, 20):
        designer = Designer(tmp_path / f"toys{seed}", seed)
        for number in range(20):
            check_build(designer, f"seed {seed}, edit {number}: {designer.edit()}")


def test_what_is_quarantined_beside_an_approved_sibling_is_reported_by_every_build(tmp_path: Path) -> None:
    project = QuickProject(tmp_path / "toys")
    project.write(ONE + TWO)
    project.build()
    project.say("approve", project.row("a/one", 1))
    digest = project.row("a/one", 2)["master"]
    record_file = project.outputs / "masters" / f"{digest}.json"
    record = json.loads(record_file.read_bytes())
    record["quality"] |= {"quarantined": True, "reason": "too noisy"}
    replace_file(record_file, record)
    version_file = project.outputs / "catalog" / "000001" / "catalog.json"
    version = json.loads(version_file.read_bytes())
    version["masters"] = [row for row in version["masters"] if row["master"] != digest]
    replace_file(version_file, version)
    project.forget_hashes()
    failed = project.build()["failed"]
    assert [(one["asset"], one["variation"], one["reason"]) for one in failed] == [("a/one", 2, "too noisy")]
    project.write(ONE + TWO.replace("second", "other"))
    assert project.build()["failed"] == failed


def replace_file(path: Path, value: Any) -> None:
    path.unlink()
    path.write_text(json.dumps(value))
