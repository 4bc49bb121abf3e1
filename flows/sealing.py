"""Sign masters before publishing; after mastering, because any later change breaks a signature."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

from flows.prepare import Prepared, Signatures, open_rows
from flows.readiness import credentials
from pipeline.catalog import SignedFiles
from pipeline.cpus import usable_cpus
from pipeline.credentials import Claim, available, configured
from pipeline.credentials.development import development_identity
from pipeline.credentials.signing import SIDECAR, Signer
from pipeline.errors import MachineError
from pipeline.provenance import MasterRow, ObjectJson, disclosure
from pipeline.store import ObjectRef, Store


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
    with ThreadPoolExecutor(usable_cpus()) as threads:
        project, store = prepared.project.name, prepared.store
        done = threads.map(lambda row: _sign(signer, project, row, store), wanted)
        return {(row["asset"], row["variation"]): files for row, files in zip(wanted, done, strict=True)}


def _sign(signer: Signer, project: str, row: MasterRow, store: Store) -> SignedFiles:
    claim = _claim(project, row)
    files: dict[str, ObjectJson] = {}
    for path, item in row["files"].items():
        suffix = PurePosixPath(path).suffix
        made = signer.sign(store.get(ObjectRef(item["sha256"], item["suffix"], item["size"])), suffix, claim)
        files[path] = _put(store, made.data, suffix)
        if made.sidecar is not None:
            files[path + SIDECAR] = _put(store, made.sidecar, SIDECAR)
    return SignedFiles(row["master"], signer.name, files)


def _put(store: Store, data: bytes, suffix: str) -> ObjectJson:
    ref = store.put(data, suffix)
    return ObjectJson(sha256=ref.sha256, suffix=ref.suffix, size=ref.size)


def _claim(project: str, row: MasterRow) -> Claim:
    told = disclosure(neural=row["neural"], engine=row["engine"], model=row["model"])
    return Claim(
        title=f"{row['asset']}_{row['variation']:02d}",
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
