"""Checking: what a file's credentials say, and whether they still hold."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.credentials.claim import PROVENANCE
from pipeline.credentials.development import ORGANISATION, root_path
from pipeline.credentials.library import BESIDE, SIDECAR, context, library, mime_type
from pipeline.credentials.seal import departures
from pipeline.errors import UsageError

State = Literal["Trusted", "Valid", "Invalid", "Missing"]

_DEVELOPMENT_NOTE = (
    "signed with a development certificate: it shows that nothing was changed since, not who made it; "
    "not for release"
)
_OWN_ROOT_NOTE = "trusted because the certificate was made on this machine"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of one file."""

    path: str
    state: State
    """``Trusted``: whole, by a signer under a root that is trusted here; ``Valid``: whole, by a signer that is
    not; ``Invalid``: changed since it was signed; ``Missing``: no credentials in it or beside it."""
    reasons: tuple[str, ...]
    """Why it is not ``Trusted``: C2PA's status codes with their words, or ours."""
    notes: tuple[str, ...]
    development: bool
    signer: str | None
    """Common name and organisation of the signing certificate."""
    sidecar: str | None
    """The credentials' file, where they stand beside the sound."""
    manifest: dict[str, Any] | None
    """The active C2PA manifest: what is claimed."""

    @property
    def whole(self) -> bool:
        """Whether the file has credentials that hold."""
        return self.state in ("Trusted", "Valid")

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)


def check(path: Path, roots: Sequence[Path] = ()) -> Verdict:
    """Check the credentials in the file at ``path``, or beside it in ``<name>.c2pa``.

    ``roots`` are PEM files with roots to trust, beside that of this machine's development certificate. Raises
    `UsageError` for a file that cannot be read, `MachineError` without the extra.
    """
    if path.suffix == SIDECAR:
        path = path.with_suffix("")
    data = _bytes(path)
    beside = path.with_name(path.name + SIDECAR)
    sidecar = _bytes(beside) if beside.is_file() else None
    try:
        anchors = _anchors(roots)
        told = _read(data, path.suffix, sidecar, anchors)
    except (library().C2paError, UnicodeDecodeError) as error:
        return _unreadable(path, error, beside if sidecar is not None else None)
    return _judge(path, data, sidecar, beside, told)


def _read(data: bytes, suffix: str, sidecar: bytes | None, anchors: str) -> dict[str, Any]:
    reader = library().Reader(
        mime_type(suffix), io.BytesIO(data), manifest_data=sidecar, context=context(anchors)
    )
    return dict(json.loads(reader.json()))


def _judge(path: Path, data: bytes, sidecar: bytes | None, beside: Path, told: dict[str, Any]) -> Verdict:
    manifest = told.get("manifests", {}).get(told.get("active_manifest"))
    failures = told.get("validation_results", {}).get("activeManifest", {}).get("failure", [])
    reasons = [f"{item['code']}: {item.get('explanation', '')}" for item in failures]
    state: State = told["validation_state"] if manifest else "Invalid"
    manifest = manifest or {}
    ours = next((one["data"] for one in manifest.get("assertions", ()) if one["label"] == PROVENANCE), None)
    if ours is not None:
        open_ends = list(departures(data if sidecar is None else sidecar, ours.get("file_type")))
        reasons += [f"cuesmith.seal: {what}" for what in open_ends]
        state = "Invalid" if open_ends else state
    signature = manifest.get("signature_info") or {}
    development = signature.get("issuer") == ORGANISATION
    notes = [_DEVELOPMENT_NOTE] if development else []
    if development and state == "Trusted" and root_path().is_file():
        notes.append(_OWN_ROOT_NOTE)
    return Verdict(
        path=str(path),
        state=state,
        reasons=tuple(reasons),
        notes=tuple(notes),
        development=development,
        signer=", ".join(filter(None, [signature.get("common_name"), signature.get("issuer")])) or None,
        sidecar=str(beside) if sidecar is not None else None,
        manifest=manifest or None,
    )


def _unreadable(path: Path, error: Exception, sidecar: Path | None) -> Verdict:
    said = str(error)
    without = path.suffix.lower() in BESIDE or mime_type(path.suffix) is None
    missing = sidecar is None and (without or said.startswith("ManifestNotFound"))
    state: State = "Missing" if missing else "Invalid"
    reason = "no Content Credentials in it or beside it" if state == "Missing" else said
    return Verdict(str(path), state, (reason,), (), False, None, str(sidecar) if sidecar else None, None)


def _anchors(roots: Sequence[Path]) -> str:
    texts = [_bytes(root).decode("utf-8", "replace") for root in roots]
    for root, text in zip(roots, texts, strict=True):
        if "-----BEGIN CERTIFICATE-----" not in text:
            raise UsageError(
                f"{root}: holds no certificate; give a PEM file with -----BEGIN CERTIFICATE-----"
            )
    if root_path().is_file():
        texts.append(root_path().read_text())
    return "\n".join(texts)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give the path of a sound file") from error
