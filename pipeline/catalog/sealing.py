"""Signed files in rows: which rows are to be signed, which keep their signatures, and how a row tells of them.

Signing changes no master: its digest, its samples and its renditions stay what they were. A signature is never
the same twice, so one that satisfies the manifest is kept from version to version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

from pipeline.catalog.rows import name_of_files, renamed
from pipeline.credentials import DEVELOPMENT, REMEDY
from pipeline.manifest.spec import CredentialsPolicy
from pipeline.provenance import CredentialsJson, MasterRow, ObjectJson

PolicyOf = Callable[[MasterRow], CredentialsPolicy | None]
"""What the manifest asks for a row; None for rows that the build may not touch."""


_UNSIGNED = CredentialsJson(signed_by=None, reason=f"c2pa-python is not installed; {REMEDY}", unsigned={})


@dataclass(frozen=True, slots=True)
class SignedFiles:
    """What signing one master's renditions gave."""

    master: str
    signed_by: str
    files: Mapping[str, ObjectJson]
    """Library path to object, sidecars included."""


@dataclass(frozen=True, slots=True)
class Sealing:
    """What this machine can sign with, and what is in the store."""

    configured: str | None
    """Name of the configured signer."""
    available: bool
    """Whether the extra that signs is installed."""
    objects: Set[str]
    """SHA-256 of every object."""

    def settle(
        self,
        row: MasterRow,
        policy: CredentialsPolicy | None,
        before: MasterRow | None,
        signed: SignedFiles | None,
    ) -> MasterRow:
        """The row with the signatures that it shall have, as far as they exist.

        ``before`` is the row of the same variation in the version before, whose signature stays when it
        satisfies the manifest; ``signed`` is what this build signed.
        """
        if policy is None or row["status"] == "stale":
            return row
        plain = bare(row)
        if policy == "none":
            return plain
        if self._satisfies(row, policy):
            return row
        if before is not None and before["master"] == row["master"] and self._satisfies(before, policy):
            files = renamed(before["files"], name_of_files(plain["files"]))
            return _with(row, files, CredentialsJson(**{**before["credentials"], "unsigned": plain["files"]}))
        if signed is not None and signed.master == row["master"]:
            told = CredentialsJson(signed_by=signed.signed_by, reason=None, unsigned=plain["files"])
            return _with(row, dict(signed.files), told)
        return plain if self.available or policy == "required" else _with(row, plain["files"], _UNSIGNED)

    def _satisfies(self, row: MasterRow, policy: CredentialsPolicy) -> bool:
        """Whether a row's files are signed as they should be, and all there."""
        told = row.get("credentials")
        if told is None or told["signed_by"] is None:
            return False
        if self.configured is not None and told["signed_by"] != self.configured:
            return False
        if policy == "required" and told["signed_by"] == DEVELOPMENT:
            return False
        return all(item["sha256"] in self.objects for item in row["files"].values())


def _with(row: MasterRow, files: dict[str, ObjectJson], credentials: CredentialsJson) -> MasterRow:
    """The row with these files; the very object where it has them, so that comparing 100,000 rows is quick."""
    if row["files"] == files and row.get("credentials") == credentials:
        return row
    return MasterRow(**{**row, "files": files, "credentials": credentials})


def bare(row: MasterRow) -> MasterRow:
    """The row as it is before anything is signed."""
    told = row.get("credentials")
    if told is None:
        return row
    plain = MasterRow(**{**row, "files": told["unsigned"] or row["files"]})
    del plain["credentials"]
    return plain


def is_open(row: MasterRow, policy: CredentialsPolicy | None) -> bool:
    """Whether a settled row is still to be signed."""
    return policy in ("development", "required") and row["status"] != "stale" and "credentials" not in row
