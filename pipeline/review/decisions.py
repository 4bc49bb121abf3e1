"""What the page sends, checked: decisions on masters that the version really has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pipeline.catalog import ReviewEvent, Version
from pipeline.catalog.reviews import ReviewAction
from pipeline.errors import UsageError

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class Decision(BaseModel):
    """One decision as the page made it; ``id`` makes sending it twice harmless."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: UUID
    at: str = Field(max_length=40)
    action: ReviewAction
    asset: str = Field(max_length=300)
    variation: int = Field(ge=1)
    take: Digest
    master: Digest
    comment: str = Field(default="", max_length=4000)


class Decisions(BaseModel):
    """What one reviewer sends at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Name
    version: int = Field(ge=1)
    decisions: list[Decision] = Field(min_length=1, max_length=1000)


def events(sent: Decisions, version: Version, now: str) -> Iterator[tuple[UUID, ReviewEvent]]:
    """The review events of ``sent``, at the moment ``now``. Raises `UsageError` for a master that is not there."""
    for decision in sent.decisions:
        _check(decision, version)
        yield (
            decision.id,
            ReviewEvent(
                at=now,
                by=sent.by,
                action=decision.action,
                asset=decision.asset,
                variation=decision.variation,
                take=decision.take,
                master=decision.master,
                comment=decision.comment.strip(),
            ),
        )


def _check(decision: Decision, version: Version) -> None:
    row = version.by_variation.get((decision.asset, decision.variation))
    waiting = row.get("waiting") if row else None
    known = [(one["take"], one["master"]) for one in (row, waiting) if one]
    if (decision.take, decision.master) not in known:
        raise UsageError(
            f"version {version.number} has no such master of {decision.asset} variation {decision.variation}; "
            "reload the page"
        )
    if decision.action == "comment" and not decision.comment.strip():
        raise UsageError("a comment needs words")
