"""Masters that missed their loudness target, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.provenance import MASTER_SCHEMA, MasterRow
from pipeline.store import Store

MISSED = frozenset({"true-peak ceiling", "gain limit"})
"""Deviations that a person wants to know of. Variations that share a gain are louder and softer on purpose."""
_TOLERANCE_LU = 0.2


def is_off_target(row: MasterRow) -> bool:
    """Whether a master, of which the row says so, missed its loudness target."""
    return row.get("deviation") in MISSED


def with_deviations(store: Store, rows: Iterable[MasterRow]) -> tuple[MasterRow, ...]:
    """``rows`` with the reason in each that is off its target; rows of older releases get it from their records."""
    rows = tuple(rows)
    silent = {row["master"] for row in rows if "deviation" not in row and _is_off(row)}
    records: Any = store.get_records("masters", sorted(silent), MASTER_SCHEMA) if silent else ()
    reasons = {digest: record["loudness"].get("deviation") for digest, record in records}
    return tuple(
        MasterRow(**{**row, "deviation": reasons[row["master"]]}) if reasons.get(row["master"]) else row
        for row in rows
    )


def _is_off(row: MasterRow) -> bool:
    loudness = row["loudness_lufs"]
    return (
        loudness is not None
        and row["loudness_method"] != "peak"
        and abs(loudness - row["target_lufs"]) > _TOLERANCE_LU
    )
