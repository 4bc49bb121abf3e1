"""The rows of a plan: what a build makes, what it publishes without work, what it removes from the catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from pipeline.build.prepare import Prepared
from pipeline.catalog import Change, label_changes, with_labels
from pipeline.catalog.diff import PROMOTED
from pipeline.manifest.spec import AssetSpec
from pipeline.plan import AssetPlan, Reason, VariationPlan, changed
from pipeline.provenance import master_name, model_license, name_of


class RowAction(StrEnum):
    """What a build does with a row: the actions of a plan, and two that need no work."""

    GENERATE = "generate"
    REMASTER = "re-master"
    PUBLISH = "publish"
    """The row changes, but nothing is made for it."""
    REUSE = "reuse"
    LOCKED = "locked"
    REMOVE = "remove"
    """The next version does not have the row."""


REMOVED = "no longer in the manifest"


class PlannedRow(NamedTuple):
    """A variation, what a build does with it, and why."""

    asset: str
    variation: int
    action: RowAction
    reasons: tuple[str, ...]
    engine: str
    model: str
    seconds: float
    """Length of the audio to generate."""

    @property
    def name(self) -> str:
        """Such as ``music/forest/explore_01``."""
        return master_name(self.asset, self.variation)

    @property
    def folder(self) -> str:
        """The asset's id up to its last slash, such as ``music/forest/``."""
        return self.asset[: self.asset.rfind("/") + 1]

    def to_json(self) -> dict[str, Any]:
        """One item of ``assets`` in the object of ``plan --json``."""
        return {**self._asdict(), "reasons": list(self.reasons)}


class PlannedGroup(NamedTuple):
    """Rows of one folder with the same action and the same reasons."""

    action: RowAction
    folder: str
    reasons: tuple[str, ...]
    rows: tuple[PlannedRow, ...]

    @property
    def name(self) -> str:
        """Such as ``music/forest/* (3)``; of one row its name."""
        return f"{self.folder}* ({len(self.rows)})" if len(self.rows) > 1 else self.rows[0].name


def planned_rows(prepared: Prepared) -> list[PlannedRow]:
    """Return every row of the latest and of the next version, sorted by asset and variation."""
    changes = {change.place: change for change in prepared.changes}
    rows = [
        _row(plan, variation, changes.get(place))
        for place, (plan, variation) in prepared.plan.by_place().items()
    ]
    return sorted([*rows, *_removed(prepared)], key=lambda row: (row.asset, row.variation))


def changed_rows(prepared: Prepared, result: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, action and reasons of every row that a build made, published with other labels or removed.

    ``result`` is the object of ``build --json``.
    """
    left = left_names(result)
    return [
        (row.name, str(row.action), ", ".join(map(str, row.reasons)))
        for row in planned_rows(prepared)
        if row.action not in (RowAction.REUSE, RowAction.LOCKED) and row.name not in left
    ]


def left_names(result: Mapping[str, Any]) -> list[str]:
    """Names of the masters that a build left for the next one."""
    return [name_of(one) for one in result["left"]]


def grouped(rows: Sequence[PlannedRow]) -> list[PlannedGroup]:
    """Group ``rows`` by action, folder and reasons, in the order of each group's first row."""
    groups: dict[tuple[RowAction, str, tuple[str, ...]], list[PlannedRow]] = {}
    for row in rows:
        groups.setdefault((row.action, row.folder, row.reasons), []).append(row)
    return [PlannedGroup(*key, tuple(members)) for key, members in groups.items()]


def totals_of(prepared: Prepared, rows: Sequence[PlannedRow]) -> dict[str, Any]:
    """Return ``totals`` of ``plan --json``: counts by action, and audio to generate by engine and model."""
    counts = Counter(row.action for row in rows)
    return prepared.plan.totals() | {"actions": {action: counts[action] for action in RowAction}}


def licenses_of(prepared: Prepared) -> list[dict[str, Any]]:
    """The licences that the release gate would refuse under the manifest's declaration, or that ask for something."""
    found = {model_license(plan.asset.engine, plan.requirements.model): None for plan in prepared.plan.assets}
    rows = (license.to_json(prepared.project.license) for license in found)
    return [row for row in rows if row["refused"] or row["duties"]]


def _row(plan: AssetPlan, variation: VariationPlan, change: Change | None) -> PlannedRow:
    action = RowAction(variation.action)
    if change is not None and not variation.action.makes:
        action = RowAction.PUBLISH
    also = change.reasons if change else _label_reasons(plan.asset, variation)
    reasons = also if change and _keeps_master(change) else (*variation.reasons, *also)
    words = tuple(dict.fromkeys(reason.words for reason in reasons if reason != PROMOTED))
    seconds = round(sum(order.recipe.seconds for order in variation.missing), 6) if variation.missing else 0.0
    return PlannedRow(
        plan.asset.id,
        variation.variation,
        action,
        words,
        plan.asset.engine,
        plan.requirements.model.id,
        seconds,
    )


def _keeps_master(change: Change) -> bool:
    """Whether the change is only one of labels or review state: the plan gives no reasons for those."""
    before, after = change.before, change.after
    return before is not None and after is not None and before["master"] == after["master"]


def _label_reasons(asset: AssetSpec, variation: VariationPlan) -> tuple[Reason, ...]:
    """Return the label and name changes of a variation that will also be made again."""
    before = variation.previous
    if before is None or not variation.action.makes:
        return ()
    return changed(*label_changes(before, with_labels(before, asset)))


def _removed(prepared: Prepared) -> Iterator[PlannedRow]:
    for row in prepared.removed:
        yield PlannedRow(
            row["asset"], row["variation"], RowAction.REMOVE, (REMOVED,), row["engine"], row["model"], 0.0
        )
