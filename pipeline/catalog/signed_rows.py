"""Signed files in rows: which rows need a signature, which keep one, and how a row records it.

Signing changes no master: its digest, its samples and its unsigned renditions stay the same. Two signatures are never
equal, so a signature that satisfies the manifest stays from version to version.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from pipeline.catalog.rows import name_of_files, renamed
from pipeline.credentials import DEVELOPMENT, REMEDY, SignedFiles
from pipeline.manifest.spec import CredentialsPolicy
from pipeline.provenance import CredentialsJson, MasterRow, ObjectJson

_UNSIGNED = CredentialsJson(signed_by=None, reason=f"c2pa-python is not installed; {REMEDY}", unsigned={})


@dataclass(frozen=True, slots=True)
class SigningState:
    """The configured signer, and the objects of the store."""

    signer: str | None
    """Name of the configured signer; None if none is configured."""
    available: bool
    """Whether the extra that signs is installed."""
    objects: Set[str]
    """SHA-256 of every object."""

    def with_signatures(
        self,
        row: MasterRow,
        policy: CredentialsPolicy | None,
        before: MasterRow | None,
        signed: SignedFiles | None,
    ) -> MasterRow:
        """The row with its signatures, or without them if they do not exist yet.

        ``policy`` is None for a row that the build may not change. ``before`` is the row of the same variation in the
        previous version, whose signature stays if it satisfies the manifest. ``signed`` are files that this build
        signed.
        """
        if policy is None or row["status"] == "stale":
            return row
        plain = unsigned_row(row)
        if policy == "none":
            return plain
        if self._satisfies(row, policy):
            return row
        if before is not None and before["master"] == row["master"] and self._satisfies(before, policy):
            files = renamed(before["files"], name_of_files(plain["files"]))
            return _with(row, files, CredentialsJson(**{**before["credentials"], "unsigned": plain["files"]}))
        if signed is not None and signed.master == row["master"]:
            credentials = CredentialsJson(signed_by=signed.signed_by, reason=None, unsigned=plain["files"])
            return _with(row, dict(signed.files), credentials)
        return plain if self.available or policy == "required" else _with(row, plain["files"], _UNSIGNED)

    def _satisfies(self, row: MasterRow, policy: CredentialsPolicy) -> bool:
        """Whether a row's signature satisfies ``policy``, and all its files are in the store."""
        credentials = row.get("credentials")
        if credentials is None or credentials["signed_by"] is None:
            return False
        if self.signer is not None and credentials["signed_by"] != self.signer:
            return False
        if policy == "required" and credentials["signed_by"] == DEVELOPMENT:
            return False
        return all(item["sha256"] in self.objects for item in row["files"].values())


def _with(row: MasterRow, files: dict[str, ObjectJson], credentials: CredentialsJson) -> MasterRow:
    """The row with these files; the same object if it has them, so that comparing 100,000 rows is quick."""
    if row["files"] == files and row.get("credentials") == credentials:
        return row
    return MasterRow(**{**row, "files": files, "credentials": credentials})


def unsigned_row(row: MasterRow) -> MasterRow:
    """The row as it was before signing."""
    credentials = row.get("credentials")
    if credentials is None:
        return row
    plain = MasterRow(**{**row, "files": credentials["unsigned"] or row["files"]})
    del plain["credentials"]
    return plain


def needs_signature(row: MasterRow, policy: CredentialsPolicy | None) -> bool:
    """Whether a row that went through `SigningState.with_signatures` still has to be signed."""
    return policy in ("development", "required") and row["status"] != "stale" and "credentials" not in row
