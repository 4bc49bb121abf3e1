"""The data of the page: what it shows of each master, how the version differs from others, and the review state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypedDict

from pipeline.catalog import Catalog, ReviewEvent, Version, review_state
from pipeline.manifest.limit_advice import loosened
from pipeline.provenance import MasterRecord, MasterRow, name_of
from pipeline.report.media import Sound, rendition
from pipeline.store import ObjectRef

LOOK_BACK = 20
"""Versions that are read for earlier masters; older ones are opened with ``--against``."""

Place = tuple[str, int]

_COMPARED = {
    "prompt": "prompt",
    "engine": "engine",
    "model": "model",
    "revision": "model revision",
    "seed": "seed",
    "mastering": "mastering",
    "target_lufs": "loudness target",
    "loudness_lufs": "loudness",
    "true_peak_dbtp": "true peak",
    "seconds": "length",
}


@dataclass(frozen=True)
class History:
    """Versions up to the one that is reported."""

    against: Version | None
    """The version that the report compares with."""
    earlier: tuple[Version, ...]
    """Versions whose masters the page offers for comparison, newest first."""
    sizes: tuple[tuple[int, int, float], ...]
    """Version, masters and audio-seconds of each of these and of the reported one, oldest first."""

    def with_current(self, version: Version) -> History:
        """What a master outside ``version`` is heard beside: its masters first, then the earlier ones."""
        return History(None, (version, *self.earlier), self.sizes)


def read_history(catalog: Catalog, version: Version, against: int | None) -> History:
    """Read the last versions before ``version``; compare with ``against``, or else with its parent.

    Versions that cannot be read are left out; `StoreError` or `VerificationError` where ``against`` is one.
    """
    numbers = [number for number in catalog.numbers() if number < version.number]
    earlier = list(islice(catalog.readable(reversed(numbers)), LOOK_BACK))
    wanted = version.parent if against is None else against
    compared = next((found for found in earlier if found.number == wanted), None)
    there = wanted in numbers and catalog.read_error(wanted) is None
    if compared is None and wanted is not None and (against is not None or there):
        compared = catalog.read(wanted)
        earlier.append(compared)
    sizes = [(v.number, len(v.masters), _seconds(v)) for v in (version, *earlier)]
    return History(compared, tuple(earlier), tuple(sorted(sizes)))


def changes(row: MasterRow, before: MasterRow) -> list[str]:
    """What changed in a master, in words; empty if the sound is the same."""
    if row["pcm_sha256"] == before["pcm_sha256"]:
        return []
    found = []
    for key, word in _COMPARED.items():
        old, new = before.get(key), row.get(key)
        if old == new:
            continue
        if isinstance(old, float) and isinstance(new, float):
            found.append(f"{word} {old:.2f} → {new:.2f}")
        else:
            found.append(word)
    return found or ["sound"]


def others(
    row: MasterRow, history: Sequence[Version], approved: Collection[str]
) -> list[tuple[Version, MasterRow, bool]]:
    """Earlier masters of the same variation with other samples, newest first, each once, with its approval."""
    seen = {row["pcm_sha256"]}
    found = []
    for version in history:
        before = version.by_variation.get((row["asset"], row["variation"]))
        if before is not None and before["pcm_sha256"] not in seen:
            seen.add(before["pcm_sha256"])
            found.append((version, before, before["master"] in approved))
    return found


def removed(version: Version, before: Version | None) -> list[Place]:
    """Variations that ``before`` has and ``version`` has not."""
    known: Mapping[Place, MasterRow] = before.by_variation if before else {}
    return sorted(known.keys() - version.by_variation.keys())


def _seconds(version: Version) -> float:
    return round(sum(row["seconds"] for row in version.masters), 3)


EventJson = tuple[int, str, str, str, str, str]
"""Row, what was heard, action, who, when, comment. Heard was the ``master``, the ``candidate`` that waits beside it,
the ``take`` mastered otherwise, or an ``earlier`` take."""


class Standing(TypedDict):
    """Rows are numbered as the version lists them."""

    count: int
    """Events in the review file when this was read."""
    approved: list[int]
    rejected: list[int]
    locked: list[int]
    events: list[EventJson]


def standing_of(version: Version, events: Sequence[ReviewEvent]) -> Standing:
    """What ``events`` add up to for each row of ``version``, and those that concern its variations."""
    state, rows = review_state(events), list(enumerate(version.masters))
    return Standing(
        count=len(events),
        approved=[i for i, row in rows if row["master"] in state.approved],
        rejected=[i for i, row in rows if row["take"] in state.rejected],
        locked=[i for i, row in rows if (row["asset"], row["variation"]) in state.locked],
        events=list(_events(version, events)),
    )


def _events(version: Version, events: Iterable[ReviewEvent]) -> Iterable[EventJson]:
    places = {(row["asset"], row["variation"]): i for i, row in enumerate(version.masters)}
    for event in events:
        index = places.get((event.asset, event.variation))
        if index is None:
            continue
        heard = _heard(version.masters[index], event)
        yield (index, heard, event.action, event.by, event.at, event.comment)


def _heard(row: MasterRow, event: ReviewEvent) -> str:
    waiting = row.get("waiting")
    if event.master == row["master"]:
        return "master"
    if waiting is not None and event.master == waiting["master"]:
        return "candidate"
    return "take" if event.take == row["take"] else "earlier"


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
