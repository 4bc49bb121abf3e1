"""Publish a version: sign its files, write its rows and tables, move the channel, sync the library and the report."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.build.journal import Journal, new_run_id
from pipeline.build.lock import build_lock
from pipeline.build.prepare import (
    NOTHING_MADE,
    Made,
    Prepared,
    Signatures,
    attention_counts,
    check_removals,
    missing_from,
    next_rows,
    reasons_of,
    unchanged_result,
    unsigned_rows,
    with_valid_plan,
)
from pipeline.build.quarantine import build_facts, quarantine_report, record_quarantine
from pipeline.catalog import (
    Place,
    Reviews,
    Version,
    compare_rows,
    quarantined_masters,
    rows_by_current_id,
)
from pipeline.catalog.tables import csv_bytes, frame, parquet_bytes
from pipeline.catalog.version import MANIFEST_FILE, texts_bytes
from pipeline.credentials.signing import open_signer, sign_rows
from pipeline.errors import CuesmithError, StoreError
from pipeline.export import Exported, export_latest
from pipeline.provenance import MasterRow, MissingRow, place_of
from pipeline.report import write_report
from pipeline.store import Fence, Store

_logger = logging.getLogger(__name__)


def sign(prepared: Prepared, rows: Sequence[MasterRow]) -> Signatures:
    """Sign the files of ``rows`` that still need it; on return all signed files are in the store."""
    unsigned = unsigned_rows(prepared, rows)
    signer = open_signer(prepared.policies, prepared.project.file) if unsigned else None
    if signer is None:
        return {}
    _logger.info("signing %d masters as %s", len(unsigned), signer.name)
    return sign_rows(signer, prepared.project.name, unsigned, prepared.store)


def report_build(store: Store, version: Version | None, journal: Journal) -> str | None:
    """Write the report of a new version with the quarantined masters. Returns its key; None if it failed.

    Without a version, the report shows only quarantined masters. A failure goes to the journal, which warns the user;
    the version stays published.
    """
    if version is None and not quarantined_masters(store):
        return None
    try:
        written = write_report(store, version.number if version else None)
    except CuesmithError as error:
        journal.write("report-failed", reason=str(error))
        return None
    except Exception as error:
        journal.write("report-failed", reason=f"{type(error).__name__}: {error}; report this as a bug")
        return None
    lacking = list(written.without_pictures)
    journal.write("report", report=written.key, took=written.seconds, without_pictures=lacking)
    return written.key


BUILD_SCHEMA = "cuesmith.build/1"


@dataclass(frozen=True, slots=True)
class Published:
    """The result of publishing."""

    version: Version | None
    """The latest version; None if there is nothing to publish."""
    new: bool = False
    library: Exported | None = None
    report: str | None = None
    """The key of the report in the store."""

    def to_json(self) -> dict[str, Any]:
        """Its part of the object of ``build --json``."""
        return {
            "version": self.version.number if self.version else None,
            "published": self.new,
            **attention_counts(self.version),
            "report": self.report,
            "library": self.library.to_json() if self.library else None,
        }


def publish(
    prepared: Prepared,
    journal: Journal,
    *,
    build: Mapping[str, Any],
    made: Made = NOTHING_MADE,
    fence: Fence,
) -> Published:
    """Record what is quarantined, publish the version of a build, and write its report.

    ``build`` is the object of ``build --json`` so far, which goes into ``build.json``. ``fence`` raises `StoreError` if
    another build has taken the project.
    """
    fence()
    changed = record_quarantine(prepared, journal.run, made)
    done = publish_version(prepared, run=journal.run, build=build, made=made, fence=fence)
    if done.new or changed:
        return replace(done, report=report_build(prepared.store, done.version, journal))
    return replace(done, report=quarantine_report(prepared) if build["failed"] else None)


def publish_version(
    prepared: Prepared,
    *,
    run: str,
    build: Mapping[str, Any],
    made: Made = NOTHING_MADE,
    fence: Fence,
) -> Published:
    """Sign the masters of a build if the manifest says so, publish them, and sync the library."""
    signed = replace(made, signed=sign(prepared, next_rows(prepared, prepared.latest, made)))

    def rows(before: Version | None) -> tuple[MasterRow, ...]:
        return next_rows(prepared, before, signed, Reviews(prepared.store).state(prepared.renames))

    def reasons(before: Version, rows: tuple[MasterRow, ...]) -> Mapping[Place, tuple[str, ...]]:
        after = {place_of(row): row for row in rows}
        changed = compare_rows(
            prepared.store,
            rows_by_current_id(before, prepared.renames),
            after,
            Reviews(prepared.store).state(),
            reasons_of(prepared),
        )
        return {change.place: change.reason_words for change in changed if change.kind == "changed"}

    def contents(before: Version | None) -> tuple[tuple[MasterRow, ...], tuple[MissingRow, ...]]:
        fence()
        if before is not None and before.number != (prepared.latest.number if prepared.latest else None):
            check_removals(prepared, before)
        masters = rows(before)
        return masters, missing_from(prepared, before, masters, build.get("failed", ()))

    def companions(version: Version) -> Mapping[str, bytes]:
        table = frame(version)
        result = {"version": version.number, "published": True, **attention_counts(version)}
        facts = {"schema": BUILD_SCHEMA, **build, **result}
        facts.pop("report", None)
        # First what names the run: it claims the folder.
        return {
            "build.json": json.dumps(facts, indent=1, ensure_ascii=False).encode(),
            MANIFEST_FILE: texts_bytes(prepared.texts),
            "catalog.parquet": parquet_bytes(table),
            "catalog.csv": csv_bytes(table),
        }

    if prepared.latest is None and not rows(None):
        return Published(None)
    version, published = prepared.catalog.publish(
        contents,
        build_facts(prepared, run),
        companions,
        made=made.new,
        reasons=reasons,
        rules=prepared.rules,
    )
    _logger.info("version %s %s", version.number, "published" if published else "unchanged")
    library = export_latest(prepared.catalog)
    _logger.info("library/latest shows version %s", version.number)
    return Published(version, published, library)


def publish_only(prepared: Prepared, run: str | None = None) -> dict[str, Any]:
    """Publish a plan that makes nothing, such as new labels or removals. Returns the object of ``build --json``.

    ``run`` names the run; default: a new name. Raises `StoreError` if files were removed after the plan was made, so
    that the build has to make them.
    """
    run = run or new_run_id()
    with (
        build_lock(prepared.store, prepared.project.name, run) as own,
        prepared.store.shared() as shared,
    ):
        prepared = with_valid_plan(prepared)
        if prepared.plan.stale:
            raise StoreError(
                f"{prepared.store.root}: files were removed while this build was planned; run the same command again"
            )
        shared()
        result = unchanged_result(prepared) | {"run": run}
        journal = Journal(prepared.store, run)
        result |= publish(prepared, journal, build=result, fence=own).to_json()
        journal.write("build-done", **result)
        journal.close()
        return result
