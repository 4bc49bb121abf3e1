"""Before a build: the manifest, what is known to be made, and the plan. Light: neither Prefect nor numpy."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.catalog import Catalog, ReviewState, Reviews, Version
from pipeline.errors import UsageError
from pipeline.manifest import load
from pipeline.manifest.spec import Project
from pipeline.plan import APPROVED, LOCKED, Known, Plan, plan
from pipeline.store import Store


@dataclass(frozen=True)
class Prepared:
    """A manifest beside its store, with the plan that takes one to the other."""

    project: Project
    """Only the assets in scope."""
    store: Store
    catalog: Catalog
    latest: Version | None
    known: Known
    plan: Plan
    only: tuple[str, ...]

    def in_scope(self, asset: str) -> bool:
        """Whether the build may change the rows of ``asset``: all, or those that match ``--only``."""
        return not self.only or any(fnmatch.fnmatchcase(asset, glob) for glob in self.only)


def prepare(manifest: Path, outputs: str, profile: str | None = None, only: Sequence[str] = ()) -> Prepared:
    """Load ``manifest`` for ``profile``, read the store at ``outputs`` and plan what ``only`` (globs) matches.

    Raises `ManifestError`, `UsageError` when a glob matches nothing, and the store's errors.
    """
    project = load(manifest, profile)
    if only:
        project = _narrow(project, only)
    store = Store.open(outputs)
    catalog = Catalog(store)
    latest = catalog.latest()
    known = _known(store, latest)
    return Prepared(project, store, catalog, latest, known, plan(project, known), tuple(only))


def _narrow(project: Project, only: Sequence[str]) -> Project:
    for glob in only:
        if not any(fnmatch.fnmatchcase(asset.id, glob) for asset in project.assets):
            raise UsageError(
                f"--only {glob!r} matches no asset of {project.file}; "
                f"`cuesmith plan --json` lists their ids, and `music/*` matches all below music/"
            )
    chosen = (
        asset for asset in project.assets if any(fnmatch.fnmatchcase(asset.id, glob) for glob in only)
    )
    return replace(project, assets=tuple(chosen))


def _known(store: Store, latest: Version | None) -> Known:
    state = Reviews(store).state()
    rows = latest.by_variation if latest else {}
    return Known(store, rows, state.rejected, _held(latest, state))


def _held(latest: Version | None, state: ReviewState) -> dict[tuple[str, int], str]:
    held = dict.fromkeys(state.locked, LOCKED)
    for row in latest.masters if latest and state.approved else ():
        if row["master"] in state.approved:
            held.setdefault((row["asset"], row["variation"]), APPROVED)
    return held
