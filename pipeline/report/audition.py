"""The page of an audition: every take of one asset side by side, with the line for the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.manifest.spec import AssetSpec
from pipeline.provenance import MasterRecord, MasterRow
from pipeline.provenance.clock import now
from pipeline.report.entries import sound_entry
from pipeline.report.media import CACHE, Sound, prepare_media, rendition
from pipeline.report.page import AUDITION, render
from pipeline.store import Store

_ROOT = "../../"


@dataclass(frozen=True, slots=True)
class AuditionedTake:
    """One take of an audition and its master."""

    label: str
    """Engine, model and number, for a person."""
    line: str
    """What the manifest needs so that a build uses this take."""
    refused: str | None
    """Why the release gate would refuse its licence."""
    row: MasterRow
    record: MasterRecord


@dataclass(frozen=True, slots=True)
class AuditionPage:
    """What the page shows."""

    project: str
    place: str
    """File and line of the asset."""
    asset: AssetSpec
    takes: Sequence[AuditionedTake]
    failed: Sequence[tuple[str, str]]
    """Label of each take that could not be made, and why."""


def write_audition(store: Store, page: AuditionPage) -> str:
    """Write the page and its pictures into the store's ``reports/``; returns the page's key."""
    sounds = [
        Sound(take.row["pcm_sha256"], rendition(take.row)[1], take.label, gapless=True) for take in page.takes
    ]
    prepare_media(store, sounds)
    data = {
        "cache": _ROOT + CACHE,
        "models": [{}],
        "masters": [_entry(take) for take in page.takes],
    }
    facts = {
        "project": page.project,
        "asset": page.asset.id,
        "prompt": page.asset.prompt,
        "place": page.place,
        "created": now(),
        "failed": [{"label": label, "reason": reason} for label, reason in page.failed],
    }
    key = f"reports/audition-{page.asset.id.replace('/', '.')}/index.html"
    store.backend.write(key, render(facts, data, AUDITION).encode())
    return key


def _entry(take: AuditionedTake) -> dict[str, Any]:
    row = take.row
    return sound_entry(row, lambda item: _ROOT + item.key) | {
        "asset": row["asset"],
        "variation": row["variation"],
        "tags": row["tags"],
        "model": 0,
        "method": row["loudness_method"],
        "target": row["target_lufs"],
        "label": take.label,
        "line": take.line,
        "license": row["license"],
        "refused": take.refused,
        "failures": [failure["name"] for failure in take.record["quality"]["failures"]],
        "scores": list(take.record["candidates"][0].get("scores", {}).items()),
    }
