"""What a row takes from its master's record, and whether it still agrees with it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.catalog.standing import name_of
from pipeline.errors import VerificationError
from pipeline.provenance import MASTER_SCHEMA, MasterRecord, MasterRow
from pipeline.store import Store, fields_fault

_OF_THE_RECIPE = frozenset({"kind", "prompt", "engine", "model", "revision", "seed", "take"})
"""What stays the same where a master was made again and sounds otherwise."""
_TOLERANCE = 1e-3
"""Older releases rounded some figures to three decimals."""


def facts_of(record: MasterRecord) -> dict[str, Any]:
    """The fields of a row that stand in its master's record, by name.

    Raises `VerificationError` where the record lacks one, or has another type there.
    """
    try:
        facts = _facts(record)
        fault = fields_fault(facts, MasterRow)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        fault = repr(error)
    if fault is not None:
        raise VerificationError(
            f"masters/{record['digest']}.json is damaged: {fault}; run `cuesmith verify --repair`, then build again"
        )
    return facts


def _facts(record: MasterRecord) -> dict[str, Any]:
    take, model, measured = record["take"], record["take"]["model"], record["measurements"]
    return {
        "variation": record["variation"],
        "kind": record["kind"],
        "prompt": take["recipe"]["prompt"],
        "engine": model["engine"],
        "model": model["id"],
        "revision": model["revision"],
        "license": model["license"],
        "commercial": model["commercial"],
        "neural": model["neural"],
        "placeholder": model["placeholder"],
        "seed": take["recipe"]["seed"],
        "seconds": measured["duration_s"],
        "sample_rate_hz": measured["sample_rate_hz"],
        "channels": measured["channels"],
        "loop": record["loop"],
        "loudness_method": record["loudness"]["method"],
        "loudness_lufs": _reached(record),
        "true_peak_dbtp": measured["true_peak_dbtp"],
        "quality": record["quality"]["score"],
        "take": take["digest"],
        "takes": {candidate["take"]: candidate["object"] for candidate in record["candidates"]},
        "master": record["digest"],
        "gain_group": record.get("gain_group", ""),
        "pcm_sha256": record["pcm_sha256"],
    }


def differing(row: MasterRow, record: MasterRecord) -> dict[str, Any]:
    """The fields of ``row`` that say something else than ``record``, each with the record's value.

    Where the record is of a master that was made again and sounds otherwise, only its recipe is compared.
    """
    plain = row["credentials"]["unsigned"] if "credentials" in row else row["files"]
    sounds = {item["sha256"] for item in (plain or row["files"]).values()}
    again = sounds.isdisjoint(rendition["object"]["sha256"] for rendition in record["renditions"])
    values: Any = row
    return {
        name: fact
        for name, fact in facts_of(record).items()
        if name in row
        and (name in _OF_THE_RECIPE or not again)
        and not _agree(values[name], fact)
        # Older releases did not record whose gain a master has.
        and not (name == "gain_group" and "" in (fact, values[name]))
    }


def disagreements(store: Store, rows: Sequence[MasterRow]) -> Iterator[tuple[MasterRow, dict[str, Any]]]:
    """Each of ``rows``, and of the rows that wait beside them, that differs from its master's record, and how.

    Rows whose record is gone are left out. Raises as `Store.get_records`.
    """
    every = [one for row in rows for one in (row, row.get("waiting")) if one is not None]
    digests = sorted({row["master"] for row in every})
    records: Any = dict(store.get_records("masters", digests, MASTER_SCHEMA, MasterRecord))
    for row in every:
        record = records.get(row["master"])
        if record is not None and (found := differing(row, record)):
            yield row, found


def say_difference(row: MasterRow, found: dict[str, Any]) -> str:
    """What `differing` found, in a line."""
    values: Any = row
    told = (f"{name} is {values[name]!r} here and {fact!r} in its record" for name, fact in found.items())
    return f"{name_of(row)}: {', '.join(told)}"


def _reached(record: MasterRecord) -> float | None:
    loudness = record["loudness"]
    reached = (
        record["measurements"]["integrated_lufs"] if loudness["method"] == "peak" else loudness["reached"]
    )
    return None if reached is None else round(float(reached), 3)


def _agree(one: Any, other: Any) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        numbers = isinstance(one, float | int) and isinstance(other, float | int)
        return numbers and math.isclose(one, other, abs_tol=_TOLERANCE)
    return bool(one == other)
