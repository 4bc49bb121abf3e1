"""The page's data for each master: a short entry for the list, and details that it loads when you open one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from pipeline.catalog import name_of
from pipeline.manifest.limit_advice import loosened
from pipeline.provenance import MasterRecord, MasterRow
from pipeline.report.history import History, changes, others
from pipeline.report.media import Sound, rendition
from pipeline.store import ObjectRef

Locate = Callable[[ObjectRef], str]
"""The address of an object, as seen from the page."""

_MODEL = ("engine", "model", "revision", "license", "commercial", "placeholder", "neural")


class Models:
    """The models of a version, each written once."""

    def __init__(self) -> None:
        self.listed: list[dict[str, Any]] = []

    def index(self, row: MasterRow) -> int:
        """The place of a row's model in `listed`."""
        model = {key: row.get(key) for key in _MODEL}
        if model not in self.listed:
            self.listed.append(model)
        return self.listed.index(model)


def entry(
    row: MasterRow,
    record: MasterRecord | None,
    models: Models,
    history: History,
    approved: Collection[str],
    locate: Locate,
) -> dict[str, Any]:
    """One master as the list shows it; ``sound`` is where a browser finds it."""
    path, item = rendition(row)
    before = history.against.by_variation.get((row["asset"], row["variation"])) if history.against else None
    return {
        "asset": row["asset"],
        "variation": row["variation"],
        "kind": row["kind"],
        "tags": row["tags"],
        "prompt": row["prompt"],
        "model": models.index(row),
        "seconds": row["seconds"],
        "rate": row["sample_rate_hz"],
        "channels": row["channels"],
        "loop": row["loop"],
        "bpm": row["bpm"],
        "lufs": row["loudness_lufs"],
        "method": row["loudness_method"],
        "target": row["target_lufs"],
        "peak": row["true_peak_dbtp"],
        "ceiling": record["mastering"].get("true_peak_dbtp") if record else None,
        "quality": row["quality"],
        "failures": [failure["name"] for failure in record["quality"]["failures"]] if record else [],
        "take": row["take"],
        "master": row["master"],
        "pcm": row["pcm_sha256"],
        "path": path,
        "sound": locate(item),
        "status": row["status"],
        "reason": row.get("reason"),
        "fresh": "new" if history.against and before is None else None,
        "changes": changes(row, before) if before else [],
        "others": _others(row, history, approved, locate),
        "waiting": row["waiting"]["reasons"] if "waiting" in row else None,
    }


def quarantined(record: MasterRecord | None) -> dict[str, Any]:
    """Extra fields of a quarantined master: the gates that closed, and the manifest line that opens each."""
    failures = record["quality"]["failures"] if record else []
    told = [{**failure, "loosened": loosened(failure["name"], failure["measured"])} for failure in failures]
    return {"quarantined": told, "candidate_count": len(record["candidates"]) if record else 1}


def sounds(rows: Sequence[MasterRow], history: History) -> list[Sound]:
    """Every sound that the page of ``rows`` plays: the masters, and earlier ones to compare with."""
    found = []
    for row in rows:
        compared = [before for _, before, _ in others(row, history.earlier, ())]
        if "waiting" in row:
            compared.append(row["waiting"])
        whole = bool(row["loop"]) or bool(compared)
        found.append(Sound(row["pcm_sha256"], rendition(row)[1], name_of(row), whole))
        found += [Sound(other["pcm_sha256"], rendition(other)[1], name_of(other), True) for other in compared]
    return found


def details(row: MasterRow, record: MasterRecord | None) -> dict[str, Any]:
    """Details of an open master: everything that its record says about its origin."""
    shared = {
        "mastering_digest": row["mastering"],
        "source": row["source"],
        "ucs": row["ucs"],
        "files": row["files"],
    }
    if record is None:
        return shared
    take = record["take"]
    return shared | {
        "chain": record["chain"],
        "loudness": record["loudness"],
        "measurements": record["measurements"],
        "mastering": record["mastering"],
        "quality": record["quality"],
        "manifest": record["manifest"],
        "disclosure": record["disclosure"],
        "candidates": record["candidates"],
        "recipe": take["recipe"],
        "notes": take["notes"],
        "ignored": take["ignored"],
        "take_object": take["object"],
        "generated": take["made"],
        "mastered": record["made"],
    }


def _others(
    row: MasterRow, history: History, approved: Collection[str], locate: Locate
) -> list[dict[str, Any]]:
    """Sounds to compare with a master: the candidate that waits for a decision, then earlier versions."""
    found = [
        _other(before, locate) | {"version": version.number, "approved": held}
        for version, before, held in others(row, history.earlier, approved)
    ]
    if "waiting" in row:
        found.insert(0, _other(row["waiting"], locate) | {"version": None, "approved": False})
    return found


def _other(row: MasterRow, locate: Locate) -> dict[str, Any]:
    return {
        "take": row["take"],
        "master": row["master"],
        "pcm": row["pcm_sha256"],
        "sound": locate(rendition(row)[1]),
        "seconds": row["seconds"],
        "rate": row["sample_rate_hz"],
        "loop": row["loop"],
        "lufs": row["loudness_lufs"],
        "prompt": row["prompt"],
        "whole": True,
    }
