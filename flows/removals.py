"""The limits on what a build removes from a catalog without ``--allow-removals``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flows.prepare import Prepared, prepare
from pipeline.catalog import Version, name_of
from pipeline.errors import UsageError
from pipeline.manifest.problems import list_names

SHARE = 1 / 3
"""A build that removes more than this share of the masters needs ``--allow-removals``."""
FEW = 3
"""A build may always remove this many masters if others stay: a small project soon reaches `SHARE`."""
_MANY_NAMES = 12


def prepare_build(
    manifest: Path, outputs: str, profile: str | None, only: Sequence[str], allow_removals: bool
) -> Prepared:
    """`prepare`, with `check_removals` against the latest version."""
    prepared = prepare(manifest, outputs, profile, only, allow_removals)
    check_removals(prepared, prepared.latest)
    return prepared


def check_removals(prepared: Prepared, before: Version | None) -> None:
    """Raise `UsageError` if the version after ``before`` needs ``--allow-removals`` and it is not set."""
    problem = removal_problem(prepared, before)
    if problem is not None and not prepared.allow_removals:
        raise UsageError(problem)


def removal_problem(prepared: Prepared, before: Version | None) -> str | None:
    """Return why the version after ``before`` needs ``--allow-removals``, with fixes; None if it does not."""
    if before is None or not before.masters:
        return None
    leaving = prepared.leaving_from(before)
    names = list_names(map(name_of, leaving), limit=_MANY_NAMES)
    project = prepared.project
    if before.project != project.name:
        removed = f" This build would remove {names}." if leaving else ""
        return (
            f"{prepared.store.root} holds project {before.project!r}, and {project.file} is project "
            f"{project.name!r}.{removed} Choose another folder with --outputs, or, if you renamed the project, "
            "build with --allow-removals"
        )
    approved = [
        row
        for row in leaving
        if row["master"] in prepared.reviews.approved
        or (row["asset"], row["variation"]) in prepared.reviews.locked
    ]
    if approved:
        return (
            f"{project.file} no longer lists {len(leaving)} of {len(before.masters)} masters, and people approved "
            f"or locked {list_names(map(name_of, approved), limit=_MANY_NAMES)}. Add them to the manifest again, "
            "or remove them with --allow-removals"
        )
    if not prepared.assets or len(leaving) > max(FEW, SHARE * len(before.masters)):
        return (
            f"{project.file} no longer lists {len(leaving)} of {len(before.masters)} masters: {names}. Add them "
            "to the manifest again, or remove them with --allow-removals"
        )
    return None
