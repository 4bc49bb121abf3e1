"""Catalog tables for people: the masters of a version as a pandas frame, Parquet, CSV and JSON.

Column schema ``cuesmith.catalog.table/2``: one row for each master. Tags and files are JSON arrays as text, so any
spreadsheet opens the CSV and names may have any character. The metadata of the Parquet file has the schema's name.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.catalog.version import Version
from pipeline.provenance import MasterRow

TABLE_SCHEMA = "cuesmith.catalog.table/2"

COLUMNS = {
    "version": "int64",
    "asset": "string",
    "variation": "int64",
    "kind": "string",
    "status": "string",
    "tags": "string",
    "prompt": "string",
    "engine": "string",
    "model": "string",
    "revision": "string",
    "license": "string",
    "commercial": "bool",
    "neural": "bool",
    "placeholder": "bool",
    "seed": "int64",
    "seconds": "float64",
    "sample_rate_hz": "int64",
    "channels": "int64",
    "bpm": "Float64",
    "loop_start": "Int64",
    "loop_end": "Int64",
    "loudness_method": "string",
    "loudness_lufs": "Float64",
    "target_lufs": "float64",
    "true_peak_dbtp": "Float64",
    "quality": "Float64",
    "ucs_category": "string",
    "files": "string",
    "take": "string",
    "master": "string",
    "pcm_sha256": "string",
    "source": "string",
    "waiting": "string",
    "reason": "string",
}
"""Every column with its pandas type; columns with empty cells have a nullable type."""


def frame(version: Version) -> pd.DataFrame:
    """One row for each master, columns as in `TABLE_SCHEMA`; lists are JSON arrays."""
    rows = [_flat(version.number, row) for row in version.masters]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def csv_bytes(table: pd.DataFrame) -> bytes:
    """The table as CSV, UTF-8, with a header row."""
    return table.to_csv(index=False, lineterminator="\n").encode()


def parquet_bytes(table: pd.DataFrame) -> bytes:
    """The table as Parquet; ``cuesmith_schema`` in the file's metadata names the columns' schema."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    arrow = arrow.replace_schema_metadata(
        {**(arrow.schema.metadata or {}), b"cuesmith_schema": TABLE_SCHEMA.encode()}
    )
    sink = io.BytesIO()
    pq.write_table(arrow, sink)
    return sink.getvalue()


def json_bytes(table: pd.DataFrame) -> bytes:
    """The table as one JSON object: ``schema`` and ``rows``, each an object by column; UTF-8."""
    rows = json.loads(table.to_json(orient="records", double_precision=15))
    return (json.dumps({"schema": TABLE_SCHEMA, "rows": rows}, ensure_ascii=False) + "\n").encode()


FORMATS: Mapping[str, Callable[[pd.DataFrame], bytes]] = {
    "csv": csv_bytes,
    "parquet": parquet_bytes,
    "json": json_bytes,
}
"""The writers of a table, by the name of the format."""


def _json(texts: Sequence[str]) -> str:
    return json.dumps(texts, ensure_ascii=False)


def _flat(version: int, row: MasterRow) -> dict[str, object]:
    loop = row["loop"] or (None, None)
    ucs = row["ucs"] or {}
    special = {
        "version": version,
        "tags": _json(row["tags"]),
        "loop_start": loop[0],
        "loop_end": loop[1],
        "ucs_category": ucs.get("category"),
        "files": _json(sorted(row["files"])),
        "waiting": row["waiting"]["master"] if "waiting" in row else None,
    }
    return {column: special[column] if column in special else row.get(column) for column in COLUMNS}
