"""A stored version is read as it was written, brought up to date, or refused; never misread."""

from __future__ import annotations

import json
from typing import Any

import pytest
from quick import QuickProject

from pipeline.catalog import Catalog, Version
from pipeline.catalog.version import CATALOG_SCHEMA
from pipeline.errors import FormatError


def rewrite(project: QuickProject, change: Any) -> None:
    path = project.outputs / "catalog" / "000001" / "catalog.json"
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    project.forget_hashes()


@pytest.fixture
def built(project: QuickProject) -> QuickProject:
    project.first_build()
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


def test_a_version_of_a_format_before_the_first_release_is_refused(built: QuickProject) -> None:
    rewrite(built, lambda value: value.update(schema="cuesmith.catalog/1"))
    with pytest.raises(FormatError, match="old format cuesmith"):
        built.catalog.latest()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a catalog"),
        ("[]", "it holds no JSON object"),
        ('{"schema": "cuesmith.take/1"}', "holds cuesmith.take, not cuesmith.catalog"),
        ('{"masters": []}', "names no cuesmith format"),
        ('{"schema": "cuesmith.catalog/2", "version": 1}', "not a catalog: 'parent' is missing"),
    ],
)
def test_what_is_no_version_is_refused_with_its_place(built: QuickProject, text: str, said: str) -> None:
    (built.outputs / "catalog" / "000001" / "catalog.json").write_text(text)
    with pytest.raises(FormatError, match=said) as error:
        Catalog(built.store).read(1)
    assert "catalog/000001/catalog.json" in str(error.value)
