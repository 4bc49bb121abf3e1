"""Publishing: rows of the next version, its tables, the pointer and the library. No Prefect here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from flows.prepare import Prepared
from pipeline.catalog import Version, assemble, sync_library
from pipeline.catalog.tables import csv_bytes, frame, parquet_bytes
from pipeline.plan import AssetPlan, VariationPlan
from pipeline.provenance import MasterRecord, MasterRow
from pipeline.provenance.facts import now

BUILD_SCHEMA = "cuesmith.build/1"


def publish(
    prepared: Prepared,
    *,
    run: str,
    failures: Mapping[tuple[str, int], str],
    master_of: Callable[[AssetPlan, VariationPlan], str | None],
    build: Mapping[str, Any],
) -> tuple[Version | None, bool]:
    """Publish the masters of a build, and show them in the library.

    Returns the latest version afterwards and whether it is new; None when there is nothing to publish at all.
    ``master_of`` gives the digest of a variation's master; ``build`` goes into ``build.json``.
    """
    fresh = prepared.known.fresh()

    def record(plan: AssetPlan, variation: VariationPlan) -> MasterRecord | None:
        return fresh.master(master_of(plan, variation) or variation.master)

    def rows(before: Version | None) -> tuple[MasterRow, ...]:
        return assemble(prepared.plan.assets, failures, record, before, lambda asset: not prepared.in_scope(asset))

    def companions(version: Version) -> Mapping[str, bytes]:
        table = frame(version)
        facts = {"schema": BUILD_SCHEMA, **build, "version": version.number, "published": True}
        return {
            "catalog.parquet": parquet_bytes(table),
            "catalog.csv": csv_bytes(table),
            "build.json": json.dumps(facts, indent=1, ensure_ascii=False).encode(),
        }

    if not rows(prepared.latest) and prepared.latest is None:
        return None, False
    version, published = prepared.catalog.publish(
        rows,
        project=prepared.project.name,
        created=now(),
        run=run,
        manifest={
            "file": prepared.project.file,
            "sha256": prepared.project.sha256,
            "profile": prepared.project.profile,
        },
        companions=companions,
    )
    sync_library(prepared.store, version)
    return version, published
