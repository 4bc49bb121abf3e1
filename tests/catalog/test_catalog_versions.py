"""A stored version is read as it was written, brought up to date, or refused; never misread."""

from __future__ import annotations

import json
from typing import Any

import pytest
from quick import QuickProject

from pipeline.catalog import CATALOG_SCHEMA, Catalog, Version
from pipeline.errors import FormatError


def rewrite(project: QuickProject, change: Any) -> None:
    path = project.outputs / "catalog" / "000001" / "catalog.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    project.forget_hashes()


@pytest.fixture
def built(project: QuickProject) -> QuickProject:
    project.build()
    return project


def test_a_version_comes_back_as_it_was_written(built: QuickProject) -> None:
    version = built.latest
    assert Version.from_bytes(version.to_bytes(), "here") == version
    assert json.loads(version.to_bytes())["schema"] == CATALOG_SCHEMA


def test_a_version_of_a_newer_release_is_refused_with_the_remedy(built: QuickProject) -> None:
    rewrite(built, lambda value: value.update(schema="cuesmith.catalog/3"))
    with pytest.raises(FormatError) as error:
        built.catalog.latest()
    assert str(error.value) == (
        "catalog/000001/catalog.json was written by a newer cuesmith (cuesmith.catalog/3; this one reads up to "
        "/2); update cuesmith"
    )


def _downgrade_to_first_schema(value: Any) -> None:
    value["schema"] = "cuesmith.catalog/1"
    for row in value["masters"]:
        del row["gain_group"]


def test_a_version_of_the_first_schema_is_brought_up_and_needs_no_work(built: QuickProject) -> None:
    rewrite(built, _downgrade_to_first_schema)
    assert {row["gain_group"] for row in built.latest.masters} == {""}
    built.say("approve", built.row("a/one", 1))
    assert set(built.actions()) == {"reuse"}
    assert built.build()["published"] is False


def test_an_approved_master_of_the_first_schema_still_lends_its_gain(built: QuickProject) -> None:
    rewrite(built, _downgrade_to_first_schema)
    built.say("approve", built.row("a/one", 1))
    built.say("reject", built.row("a/one", 2))
    assert built.build()["mastered"] == 1
    gains = [
        built.store.get_record("masters", built.row("a/one", n)["master"], "cuesmith.master/1")
        for n in (1, 2)
    ]
    first, second = (record["loudness"]["gain_db"] for record in gains if record)
    assert first == second
    assert built.build()["published"] is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a catalog"),
        ("[]", "it holds no JSON object"),
        ('{"schema": "cuesmith.take/1"}', "holds cuesmith.take, not cuesmith.catalog"),
        ('{"masters": []}', "names no cuesmith format"),
        ('{"schema": "cuesmith.catalog/2", "version": 1}', "not a catalog: 'parent' is missing"),
        ('{"schema": "cuesmith.catalog/1", "version": 1}', "not a catalog: 'masters' is missing"),
    ],
)
def test_what_is_no_version_is_refused_with_its_place(built: QuickProject, text: str, said: str) -> None:
    (built.outputs / "catalog" / "000001" / "catalog.json").write_text(text)
    with pytest.raises(FormatError, match=said) as error:
        Catalog(built.store).read(1)
    assert "catalog/000001/catalog.json" in str(error.value)
