"""The data of the page: what it shows of each master, how the version differs from others, and the review state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypedDict

from pipeline.catalog import (
    Catalog,
    Change,
    Place,
    ReviewEvent,
    Version,
    diff,
    is_off_target,
    mark_remedy,
    review_state,
    reviews_before,
)
from pipeline.gates import passing_setting
from pipeline.provenance import MasterRecord, MasterRow, failures_of, name_of, place_of
from pipeline.report.media import Sound, rendition
from pipeline.store import ObjectRef

LOOK_BACK = 20
"""Number of earlier versions whose masters the page offers for comparison; ``--against`` adds an older one."""


@dataclass(frozen=True)
class History:
    """Versions up to the reported one."""

    against: Version | None
    """The version that the report compares with."""
    changes: Mapping[Place, Change]
    """What differs from ``against``, by asset id and variation."""
    earlier: tuple[Version, ...]
    """Versions whose masters the page offers for comparison, newest first."""
    sizes: tuple[tuple[int, int], ...]
    """Version and number of masters of each of these and of the reported one, oldest first."""

    def with_current(self, version: Version) -> History:
        """The history for a master outside ``version``: the masters of ``version`` are offered for comparison first."""
        return History(None, {}, (version, *self.earlier), self.sizes)

    def removed(self) -> list[Place]:
        """Variations of ``against`` that the reported version does not have."""
        return [place for place, change in self.changes.items() if change.before and not change.after]


def read_history(
    catalog: Catalog, version: Version, against: int | None, events: tuple[ReviewEvent, ...]
) -> History:
    """Read the versions before ``version``; compare with ``against``, by default its parent.

    Versions that cannot be read are left out. Raises `StoreError` or `VerificationError` if ``against`` cannot be read.
    """
    numbers = [number for number in catalog.numbers() if number < version.number]
    earlier = list(islice(catalog.readable(reversed(numbers)), LOOK_BACK))
    number = version.parent if against is None else against
    compared = next((other for other in earlier if other.number == number), None)
    readable = number in numbers and catalog.read_error(number) is None
    if compared is None and number is not None and (against is not None or readable):
        compared = catalog.read(number)
        earlier.append(compared)
    sizes = [(other.number, len(other.masters)) for other in (version, *earlier)]
    changes = diff(catalog.store, compared, version, reviews_before(version, events)) if compared else []
    by_place = {change.place: change for change in changes if change.before or change.after}
    return History(compared, by_place, tuple(earlier), tuple(sorted(sizes)))


def _alternatives(row: MasterRow, versions: Sequence[Version]) -> list[tuple[Version | None, MasterRow]]:
    """Masters to compare with: the candidate that waits for a decision, with None as its version, then earlier ones.

    These have other samples; newest first, each once.
    """
    seen = {row["pcm_sha256"]}
    masters: list[tuple[Version | None, MasterRow]] = [(None, row["waiting"])] if "waiting" in row else []
    for version in versions:
        before = version.by_variation.get(place_of(row))
        if before is not None and before["pcm_sha256"] not in seen:
            seen.add(before["pcm_sha256"])
            masters.append((version, before))
    return masters


EventJson = tuple[int, str, str, str, str, str]
"""Row, subject, action, name, time, comment. The subject is the ``master``, the ``candidate`` that waits beside it, the
``take`` with another mastering, or an ``earlier`` take."""


class ReviewStateJson(TypedDict):
    """The review state of a version's masters, as in a report or from the server. Rows are numbered in its order."""

    count: int
    """Events in the review file at this time."""
    approved: list[int]
    rejected: list[int]
    reroll: list[int]
    locked: list[int]
    events: list[EventJson]


def review_state_json(version: Version, events: Sequence[ReviewEvent]) -> ReviewStateJson:
    """The result of ``events`` for each row of ``version``, and the events on its variations."""
    state, rows = review_state(events), list(enumerate(version.masters))
    return ReviewStateJson(
        count=len(events),
        approved=[i for i, row in rows if row["master"] in state.approved],
        rejected=[i for i, row in rows if row["take"] in state.rejected - state.rerolled],
        reroll=[i for i, row in rows if row["take"] in state.rerolled],
        locked=[i for i, row in rows if place_of(row) in state.locked],
        events=list(_events(version, events)),
    )


def _events(version: Version, events: Iterable[ReviewEvent]) -> Iterable[EventJson]:
    places = {place_of(row): i for i, row in enumerate(version.masters)}
    for event in events:
        index = places.get((event.asset, event.variation))
        if index is not None:
            subject = _subject(version.masters[index], event)
            yield (index, subject, event.action, event.by, event.at, event.comment)


def _subject(row: MasterRow, event: ReviewEvent) -> str:
    waiting = row.get("waiting")
    if event.master == row["master"]:
        return "master"
    if waiting is not None and event.master == waiting["master"]:
        return "candidate"
    return "take" if event.take == row["take"] else "earlier"


Locate = Callable[[ObjectRef], str]
"""The address of an object, relative to the page."""


def sound_entry(row: MasterRow, locate: Locate) -> dict[str, Any]:
    """What the page needs to play a master; ``sound`` is its address for the browser."""
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


_MODEL = ("engine", "model", "revision", "license", "commercial", "placeholder", "neural")


@dataclass(frozen=True)
class ListEntries:
    """Makes the entries of the page's list; ``models`` collects their models, each once."""

    history: History
    approved: Collection[str]
    """Digests of approved masters."""
    locate: Locate
    models: list[dict[str, Any]] = field(default_factory=list)

    def entry(self, row: MasterRow, record: MasterRecord | None) -> dict[str, Any]:
        """One master."""
        change = self.history.changes.get(place_of(row))
        return sound_entry(row, self.locate) | {
            "asset": row["asset"],
            "variation": row["variation"],
            "kind": row["kind"],
            "tags": row["tags"],
            "model": self._model_index(row),
            "channels": row["channels"],
            "bpm": row["bpm"],
            "method": row["loudness_method"],
            "target": row["target_lufs"],
            "peak": row["true_peak_dbtp"],
            "ceiling": record["mastering"].get("true_peak_dbtp") if record else None,
            "quality": row["quality"],
            "failures": [failure["name"] for failure in record["quality"]["failures"]] if record else [],
            "path": rendition(row)[0],
            "status": row["status"],
            "reason": row.get("reason"),
            "missed": is_off_target(row),
            "unmarked": row.get("watermark_lost", []),
            "fresh": "new" if change and not change.before else None,
            "changes": list(change.words) if change and change.before and change.audible else [],
            "others": [
                sound_entry(other, self.locate)
                | {
                    "version": version and version.number,
                    "approved": version is not None and other["master"] in self.approved,
                }
                for version, other in _alternatives(row, self.history.earlier)
            ],
            "waiting": row["waiting"]["reasons"] if "waiting" in row else None,
        }

    def _model_index(self, row: MasterRow) -> int:
        model = {key: row.get(key) for key in _MODEL}
        if model not in self.models:
            self.models.append(model)
        return self.models.index(model)


def quarantine_fields(record: MasterRecord | None, siblings: Iterable[MasterRecord]) -> dict[str, Any]:
    """Extra fields of a quarantined master: each failed gate, and the manifest line that accepts the whole asset.

    ``siblings`` are all records of the asset's quarantined masters.
    """
    failures = record["quality"]["failures"] if record else []
    setting = passing_setting(failures_of(siblings))
    gates = [{**failure, "loosened": setting} for failure in failures]
    return {"quarantined": gates, "candidate_count": len(record["candidates"]) if record else 1}


def playable_sounds(rows: Sequence[MasterRow], history: History) -> list[Sound]:
    """Every sound that the page of ``rows`` plays: the masters, and those to compare with."""
    sounds = []
    for row in rows:
        others = [other for _, other in _alternatives(row, history.earlier)]
        for played in (row, *others):
            gapless = bool(row["loop"] or others)
            sounds.append(Sound(played["pcm_sha256"], rendition(played)[1], name_of(played), gapless))
    return sounds


def _watermark_text(row: MasterRow) -> str | None:
    """The master's watermark, and in which files it was not found again; None for a master without one."""
    if "watermark" not in row:
        return None
    mark, lost = f"{row['watermark']['name']} {row['watermark']['message']}", row.get("watermark_lost", [])
    return f"{mark}; not found in {', '.join(lost)}: {mark_remedy(lost)}" if lost else mark


def details(row: MasterRow, record: MasterRecord | None) -> dict[str, Any]:
    """What the page shows of an open master: everything that its record says about its origin."""
    shared = {
        "mastering_digest": row["mastering"],
        "source": row["source"],
        "ucs": row["ucs"],
        "files": row["files"],
        "watermark": _watermark_text(row),
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
