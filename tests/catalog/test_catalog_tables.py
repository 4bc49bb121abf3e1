"""Tables say what the catalog says, in the columns that the docs tell."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from quick import QuickProject
from toys import ONE, THREE, TWO

from pipeline.catalog.tables import COLUMNS, FORMATS, TABLE_SCHEMA, frame

DOCS = Path(__file__).parents[2] / "docs" / "catalog.md"


@pytest.fixture
def waits(project: QuickProject) -> QuickProject:
    project.first_build()
    project.say("approve", project.row("a/two"))
    project.write(ONE + TWO.replace("prompt: second", "prompt: 'a \"quoted\", prompt\u2026'") + THREE)
    project.build()
    return project


def documented() -> dict[str, str]:
    text = DOCS.read_text(encoding="utf-8")
    table = text.split("<!-- columns:begin -->")[1].split("<!-- columns:end -->")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", table, re.MULTILINE))


def test_the_docs_tell_every_column_with_its_type() -> None:
    assert documented() == COLUMNS
    assert TABLE_SCHEMA in DOCS.read_text(encoding="utf-8")


def test_all_formats_hold_the_same_rows(waits: QuickProject) -> None:
    table = frame(waits.latest)
    read: dict[str, Any] = {
        "csv": pd.read_csv(io.BytesIO(FORMATS["csv"](table))),
        "parquet": pd.read_parquet(io.BytesIO(FORMATS["parquet"](table))),
        "json": pd.DataFrame(json.loads(FORMATS["json"](table))["rows"]),
    }
    for found in read.values():
        assert list(found.columns) == list(COLUMNS)
        for column in ("asset", "variation", "seed", "loudness_lufs", "master", "tags"):
            assert list(found[column].fillna("")) == list(table[column].fillna(""))


@pytest.mark.parametrize("format_", list(FORMATS))
def test_tags_and_files_come_back_whatever_they_hold(waits: QuickProject, format_: str) -> None:
    version = waits.latest
    row = dict(version.masters[0])
    names = ["a/two words_01.wav", 'a/"q", ;|_01.ogg', "a/x_01.wav"]
    row |= {"tags": ["two words", "x", "two", "words"], "files": dict.fromkeys(names, None)}
    data = FORMATS[format_](frame(replace(version, masters=(row,))))  # type: ignore[arg-type]
    if format_ == "json":
        found = json.loads(data)["rows"][0]
    else:
        read = {"csv": pd.read_csv, "parquet": pd.read_parquet}[format_]
        found = read(io.BytesIO(data)).iloc[0]
    assert json.loads(found["tags"]) == row["tags"]
    assert json.loads(found["files"]) == sorted(names)


def test_what_waits_has_its_column(waits: QuickProject) -> None:
    table = frame(waits.latest).set_index("asset")
    assert table.loc["a/two", "waiting"] == waits.row("a/two")["waiting"]["master"]
    assert pd.isna(table.loc["b/three", "waiting"])


def test_parquet_and_json_name_the_schema_of_their_columns(waits: QuickProject) -> None:
    table = frame(waits.latest)
    metadata = pq.read_schema(io.BytesIO(FORMATS["parquet"](table))).metadata
    assert metadata[b"cuesmith_schema"].decode() == TABLE_SCHEMA
    assert json.loads(FORMATS["json"](table))["schema"] == TABLE_SCHEMA


def test_the_queries_of_the_docs_run_in_duckdb(waits: QuickProject, monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.chdir(waits.folder)
    queries = re.findall(r"^```sql\n(.*?)^```", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    answers = [duckdb.sql(query).fetchall() for query in queries]
    assert len(answers) >= 2
    assert answers[0] == [("sfx", "toy", 4, pytest.approx(1.7, abs=0.05), pytest.approx(-23, abs=2))]
