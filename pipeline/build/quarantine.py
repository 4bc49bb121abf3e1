"""Record quarantined variations: those whose newest master failed a quality gate."""

from __future__ import annotations

from pipeline.build.prepare import NOTHING_MADE, Made, Prepared, known_failures
from pipeline.catalog import BuildFacts, master_row, quarantined_masters, update_quarantine
from pipeline.provenance import MasterRow
from pipeline.provenance.clock import now


def record_quarantine(prepared: Prepared, run: str, made: Made = NOTHING_MADE) -> bool:
    """Record what is quarantined now; return whether that changed since the last build."""
    return update_quarantine(
        prepared.store,
        _rows(prepared, {*known_failures(prepared), *made.failures}, made),
        lambda asset: not prepared.in_scope(asset),
        build_facts(prepared, run),
    )


def build_facts(prepared: Prepared, run: str) -> BuildFacts:
    """The facts of this build that a version and the quarantine record."""
    project = prepared.project
    manifest = {"file": project.file, "sha256": project.sha256, "profile": project.profile}
    return BuildFacts(project.name, now(), run, manifest)


def _rows(prepared: Prepared, suspects: set[tuple[str, int]], made: Made) -> list[MasterRow]:
    known = prepared.known.fresh()
    rows = []
    for place, (plan, variation) in prepared.plan.by_place().items():
        record = known.master(made.digest(plan, variation)) if place in suspects else None
        if record is not None and record["quality"].get("quarantined"):
            row = master_row(record, plan.asset, plan.mastering)
            reason = str(record["quality"]["reason"])
            rows.append(MasterRow(**{**row, "status": "quarantined", "reason": reason}))
    return rows


def quarantine_report(prepared: Prepared) -> str | None:
    """Return the key of the report in which quarantined masters can be played; None if there is none."""
    if not quarantined_masters(prepared.store):
        return None
    key = f"reports/{prepared.latest.number if prepared.latest else 0:06d}/index.html"
    return key if prepared.store.backend.exists(key) else None
