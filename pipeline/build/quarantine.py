"""Record quarantined variations: those whose newest master failed a quality gate."""

from __future__ import annotations

from collections.abc import Collection

from pipeline.build.prepare import MadeMaster, Prepared, known_failures
from pipeline.catalog import BuildFacts, master_row, read_quarantine, update_quarantine
from pipeline.provenance import MasterRow
from pipeline.provenance.facts import now


def note_quarantine(
    prepared: Prepared, run: str, failed: Collection[tuple[str, int]] = (), made: MadeMaster | None = None
) -> bool:
    """Record what is quarantined now; ``failed`` are the variations that this build could not publish.

    Returns whether anything changed since the last build.
    """
    return update_quarantine(
        prepared.store,
        _rows(prepared, {*known_failures(prepared), *failed}, made),
        lambda asset: not prepared.in_scope(asset),
        build_facts(prepared, run),
    )


def build_facts(prepared: Prepared, run: str) -> BuildFacts:
    """The facts of this build that a version and the quarantine record."""
    project = prepared.project
    manifest = {"file": project.file, "sha256": project.sha256, "profile": project.profile}
    return BuildFacts(project.name, now(), run, manifest)


def _rows(prepared: Prepared, suspects: set[tuple[str, int]], made: MadeMaster | None) -> list[MasterRow]:
    known = prepared.known.fresh()
    found = []
    for plan in prepared.plan.assets if suspects else ():
        for variation in plan.variations:
            if (plan.asset.id, variation.variation) not in suspects:
                continue
            record = known.master((made(plan, variation) if made else None) or variation.master)
            if record is None or not record["quality"].get("quarantined"):
                continue
            row = master_row(record, plan.asset, plan.mastering)
            reason = str(record["quality"]["reason"])
            found.append(MasterRow(**{**row, "status": "quarantined", "reason": reason}))
    return found


def page_of(prepared: Prepared) -> str | None:
    """Return the key of the report that plays quarantined masters; None if there is no report."""
    quarantine = read_quarantine(prepared.store)
    if quarantine is None or not quarantine.masters:
        return None
    key = f"reports/{prepared.latest.number if prepared.latest else 0:06d}/index.html"
    return key if prepared.store.backend.exists(key) else None
