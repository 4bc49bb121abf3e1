"""Assets under a new id: the rows of a version as the manifest calls them now."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.catalog.version import Version
from pipeline.provenance import MasterRow, WaitingRow

Renames = Mapping[str, str]
"""By earlier asset id: the id that the manifest gives the asset now (`was`).

Of several earlier ids of one asset the latest is last.
"""


def followed(version: Version | None, renames: Renames) -> Mapping[tuple[str, int], MasterRow]:
    """The version's rows by asset id and variation, each under the id that its asset has now.

    Where the version has rows of the new id already, those count and the earlier id's are left out.
    """
    if version is None:
        return {}
    rows = version.by_variation
    moved = renamed_in(version, renames)
    if not moved:
        return rows
    stay = {place: row for place, row in rows.items() if place[0] not in renames}
    return stay | {
        (moved[asset], variation): _under(row, moved[asset])
        for (asset, variation), row in rows.items()
        if asset in moved
    }


def renamed_in(version: Version | None, renames: Renames) -> dict[str, str]:
    """Those of ``renames`` that ``version`` does not show yet: it has the earlier id, and not the new one."""
    have = {row["asset"] for row in version.masters} if version and renames else set()
    latest = {new: old for old, new in renames.items() if old in have and new not in have}
    return {old: new for new, old in latest.items()}


def _under(row: MasterRow, asset: str) -> MasterRow:
    renamed = MasterRow(**{**row, "asset": asset})
    if "waiting" in row:
        renamed["waiting"] = WaitingRow(**{**row["waiting"], "asset": asset})
    return renamed
