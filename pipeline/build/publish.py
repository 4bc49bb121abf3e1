"""Publish a version: signatures, rows, tables, the channel, the library and the report."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pipeline.build.journal import Journal, listener, new_run_id
from pipeline.build.prepare import (
    MadeMaster,
    Prepared,
    Signatures,
    check_removals,
    missing_from,
    next_rows,
    off_target_in,
    open_rows,
    reasons_of,
    still_valid,
    unbuilt,
    waiting_in,
)
from pipeline.build.quarantine import build_facts, note_quarantine, page_of
from pipeline.build.readiness import credentials
from pipeline.catalog import (
    Failures,
    Place,
    Reviews,
    SignedFiles,
    Version,
    compare_rows,
    read_quarantine,
    rows_by_current_id,
)
from pipeline.catalog.tables import csv_bytes, frame, parquet_bytes
from pipeline.catalog.version import MANIFEST_FILE, texts_bytes
from pipeline.cpus import usable_cpus
from pipeline.credentials import Claim, available, configured
from pipeline.credentials.development import development_identity
from pipeline.credentials.signing import SIDECAR, Signer
from pipeline.errors import CuesmithError, MachineError, StoreError
from pipeline.export import LIBRARY, Exported, export_latest
from pipeline.provenance import MasterRow, MissingRow, ObjectJson, disclosure, name_of
from pipeline.report import write_report
from pipeline.store import Fence, ObjectRef, Store

_logger = logging.getLogger(__name__)


def open_signer(prepared: Prepared) -> Signer | None:
    """Who signs what ``prepared`` asks for; None when it asks for nothing, or may and must go unsigned.

    Raises `MachineError` when credentials are required and cannot be had, before any work is done.
    """
    policies = prepared.policies
    required = next((asset for asset, policy in policies.items() if policy == "required"), None)
    if set(policies.values()) <= {"none"} or (required is None and not available()):
        return None
    for fault in credentials(prepared):
        raise MachineError(fault)
    return Signer(configured() or development_identity())


def sign(prepared: Prepared, rows: Sequence[MasterRow]) -> Signatures:
    """Sign the unsigned files of ``rows`` that the manifest wants signed; all files are durable on return."""
    wanted = open_rows(prepared, rows)
    signer = open_signer(prepared) if wanted else None
    if signer is None:
        return {}
    _logger.info("signing %d masters as %s", len(wanted), signer.name)
    with ThreadPoolExecutor(usable_cpus()) as threads:
        project, store = prepared.project.name, prepared.store
        done = threads.map(lambda row: _sign(signer, project, row, store), wanted)
        return {(row["asset"], row["variation"]): files for row, files in zip(wanted, done, strict=True)}


def _sign(signer: Signer, project: str, row: MasterRow, store: Store) -> SignedFiles:
    claim = _claim(project, row)
    files: dict[str, ObjectJson] = {}
    for path, item in row["files"].items():
        suffix = PurePosixPath(path).suffix
        made = signer.sign(store.get(ObjectRef.from_json(item)), suffix, claim)
        files[path] = store.put(made.data, suffix).to_json()
        if made.sidecar is not None:
            files[path + SIDECAR] = store.put(made.sidecar, SIDECAR).to_json()
    return SignedFiles(row["master"], signer.name, files)


def _claim(project: str, row: MasterRow) -> Claim:
    told = disclosure(neural=row["neural"], engine=row["engine"], model=row["model"])
    return Claim(
        title=name_of(row),
        project=project,
        asset=row["asset"],
        variation=row["variation"],
        catalog_id=row["master"],
        engine=row["engine"],
        model=row["model"],
        revision=row["revision"],
        license=row["license"],
        prompt=row["prompt"],
        recipe_digest=row["take"],
        digital_source_type=told["digital_source_type"],
        statement=told["statement"],
    )


def report_build(store: Store, version: Version | None, journal: Journal) -> str | None:
    """Write the report of a new version with the quarantined masters. Returns its key; None if it failed.

    Without a version, the report shows only quarantined masters. A failure goes to the journal, which warns the user;
    the version stays published.
    """
    quarantine = read_quarantine(store)
    if version is None and not (quarantine and quarantine.masters):
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


def publish(
    prepared: Prepared,
    *,
    run: str,
    build: Mapping[str, Any],
    failures: Failures | None = None,
    made: MadeMaster | None = None,
    just_made: Set[str] = frozenset(),
) -> Published:
    """Sign the masters of a build where the manifest asks for it, publish them, and show them in the library.

    ``build`` goes into ``build.json``. ``just_made`` are the digests of the masters that this build made.
    """

    signed = sign(prepared, next_rows(prepared, prepared.latest, failures, made))

    def rows(before: Version | None) -> tuple[MasterRow, ...]:
        return next_rows(
            prepared, before, failures, made, Reviews(prepared.store).state(prepared.renames), signed
        )

    def reasons(before: Version, rows: tuple[MasterRow, ...]) -> Mapping[Place, tuple[str, ...]]:
        after = {(row["asset"], row["variation"]): row for row in rows}
        rejected = Reviews(prepared.store).state().rejected
        found = compare_rows(
            prepared.store,
            rows_by_current_id(before, prepared.renames),
            after,
            rejected,
            reasons_of(prepared),
        )
        return {one.place: one.reason_words for one in found if one.kind == "changed"}

    def contents(before: Version | None) -> tuple[tuple[MasterRow, ...], tuple[MissingRow, ...]]:
        if before is not None and before.number != (prepared.latest.number if prepared.latest else None):
            check_removals(prepared, before)
        masters = rows(before)
        return masters, missing_from(prepared, before, masters, build.get("failed", ()))

    def companions(version: Version) -> Mapping[str, bytes]:
        table = frame(version)
        result = {
            "version": version.number,
            "published": True,
            "waiting": waiting_in(version),
            "off_target": off_target_in(prepared.store, version),
        }
        facts = {"schema": BUILD_SCHEMA, **build, **result}
        facts.pop("report", None)
        return {
            MANIFEST_FILE: texts_bytes(prepared.texts),
            "catalog.parquet": parquet_bytes(table),
            "catalog.csv": csv_bytes(table),
            "build.json": json.dumps(facts, indent=1, ensure_ascii=False).encode(),
        }

    if prepared.latest is None and not rows(None):
        return Published(None)
    version, published = prepared.catalog.publish(
        contents,
        build_facts(prepared, run),
        companions,
        made=just_made,
        reasons=reasons,
        promotion=prepared.promotion,
    )
    _logger.info("version %s %s", version.number, "published" if published else "unchanged")
    library = export_latest(prepared.catalog, LIBRARY)
    _logger.info("library/latest shows version %s", version.number)
    return Published(version, published, library)


def publish_only(prepared: Prepared, run: str | None = None) -> dict[str, Any]:
    """Publish a plan in which nothing is to be made: labels, removals. Returns the object of ``build --json``.

    ``run`` names the run; default: a new name. Raises `StoreError` where something is to be made after all, because it
    was removed since the plan was made.
    """
    with prepared.store.shared() as fence:
        prepared = still_valid(prepared)
        if prepared.plan.stale:
            raise StoreError(
                f"{prepared.store.root}: files were removed while this build was planned; run the command again"
            )
        return _publish_only(prepared, fence, run or new_run_id())


def _publish_only(prepared: Prepared, fence: Fence, run: str) -> dict[str, Any]:
    result = unbuilt(prepared) | {"run": run}
    journal = Journal(prepared.store, run, listener())
    fence()
    changed = note_quarantine(prepared, run)
    done = publish(prepared, run=run, build=result)
    result |= {
        "version": done.version.number if done.version else None,
        "published": done.new,
        "waiting": waiting_in(done.version),
        "off_target": off_target_in(prepared.store, done.version),
        "library": done.library.to_json() if done.library else None,
    }
    if done.new or changed:
        result["report"] = report_build(prepared.store, done.version, journal)
    elif result["failed"]:
        result["report"] = page_of(prepared)
    journal.write("build-done", **result)
    journal.close()
    return result
