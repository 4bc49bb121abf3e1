"""What a build may remove from a catalog without being told to: little, and nothing that people approved."""

from __future__ import annotations

from flows.prepare import Prepared
from pipeline.catalog import Version, name_of
from pipeline.errors import UsageError
from pipeline.manifest.faults import list_names

SHARE = 1 / 3
"""Of the masters of a catalog: a build that removes more of them needs ``--allow-removals``."""
FEW = 3
"""So many masters may always go, as long as others stay: in a small project they are soon a third."""
_MANY_NAMES = 12


def check_removals(prepared: Prepared, before: Version | None) -> None:
    """Raise `UsageError` where the version after ``before`` needs ``--allow-removals`` and does not have it."""
    problem = removal_problem(prepared, before)
    if problem is not None and not prepared.allow_removals:
        raise UsageError(problem)


def removal_problem(prepared: Prepared, before: Version | None) -> str | None:
    """Why the version after ``before`` needs ``--allow-removals``, with the remedies; None where it does not."""
    if before is None or not before.masters:
        return None
    leaving = prepared.leaving_from(before)
    names = list_names(map(name_of, leaving), limit=_MANY_NAMES)
    project = prepared.project
    if before.project != project.name:
        gone = f" This build would remove {names}." if leaving else ""
        return (
            f"{prepared.store.root} holds project {before.project!r}, and {project.file} is project "
            f"{project.name!r}.{gone} Choose a folder of its own with --outputs, or, if you renamed the project, "
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
            f"{project.file} no longer asks for {len(leaving)} of {len(before.masters)} masters, and people approved "
            f"or locked {list_names(map(name_of, approved), limit=_MANY_NAMES)}. Write them into the manifest again, "
            "or remove them with --allow-removals"
        )
    if not prepared.assets or len(leaving) > max(FEW, SHARE * len(before.masters)):
        return (
            f"{project.file} no longer asks for {len(leaving)} of {len(before.masters)} masters: {names}. Write them "
            "into the manifest again, or remove them with --allow-removals"
        )
    return None
