"""Checking: what a file's credentials say, and whether they are still valid.

A signature covers the sound, the tags and the claim. It does not cover the padding beside it, names and flags of
the boxes that hold it, or the file type of an MP4; readers skip these. Nobody would notice a flipped bit or hidden
data there. Credentials made by Cuesmith have one form only, so `changed_parts` compares every such byte
with what Cuesmith would have written. Sources: C2PA specification 2.2 (JUMBF boxes, COSE signature), ISO/IEC 19566-5.
"""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.credentials.claim import PROVENANCE
from pipeline.credentials.development import ORGANISATION, root_path
from pipeline.credentials.signing import context, file_type_of, library
from pipeline.errors import UsageError
from pipeline.formats import SIDECAR, format_of

State = Literal["Trusted", "Valid", "Invalid", "Missing"]

_DEVELOPMENT_NOTE = (
    "signed with a development certificate: it shows that the file was not changed since, but not who made it; "
    "not for release"
)
_OWN_ROOT_NOTE = "trusted because the certificate was made on this machine"
_UUID_TAIL = bytes.fromhex("00110010800000aa00389b71")
_STORE = b"jumdc2pa" + _UUID_TAIL
_STORE_HEAD = 12
"""Sizes and types before `_STORE`."""
_REQUESTABLE_WITH_LABEL = 0x03
_AND_PRIVATE = 0x13
_LABELS = {
    b"c2pa": b"c2pa",
    b"c2as": b"c2pa.assertions",
    b"c2cl": b"c2pa.claim.v2",
    b"c2cs": b"c2pa.signature",
}
"""Names of boxes by type, for types whose names no hash covers."""
_SIGNATURE = re.compile(
    rb"\xd2\x84(?:\x58.|\x59..).+?\xa1\x63pad(?:\x58(.)|\x59(..))(\0*)\xf6(?:\x58(.)|\x59(..))(.+)", re.DOTALL
)
"""COSE_Sign1: protected header, ``{"pad": zeros}``, no payload, signature."""
_MP4_CREDENTIALS = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_MP4_HEAD = 45
_MP4_FILLERS = (b"free", b"skip")
"""Empty boxes; C2PA's hash does not cover their content."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of checking one file."""

    path: str
    state: State
    """``Trusted``: unchanged, and the signer's root is trusted here; ``Valid``: unchanged, and the signer's root is not
    trusted; ``Invalid``: changed since it was signed; ``Missing``: no credentials in it or beside it."""
    reasons: tuple[str, ...]
    """Why it is not ``Trusted``: C2PA's status codes with their explanations, or reasons of Cuesmith."""
    notes: tuple[str, ...]
    development: bool
    signer: str | None
    """Common name and organisation of the signing certificate."""
    sidecar: str | None
    """The file of the credentials, if they are beside the sound."""
    manifest: dict[str, Any] | None
    """The active C2PA manifest, which contains the claim."""

    @property
    def is_valid(self) -> bool:
        """Whether the file has valid credentials."""
        return self.state in ("Trusted", "Valid")

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)


def check(path: Path, roots: Sequence[Path] = ()) -> Verdict:
    """Check the credentials in the file at ``path``, or beside it in ``<name>.c2pa``.

    ``roots`` are PEM files with roots to trust, besides the root of this machine's development certificate. Raises
    `UsageError` for a file that cannot be read, `MachineError` without the extra.
    """
    if path.suffix == SIDECAR:
        path = path.with_suffix("")
    data = _file_bytes(path)
    beside = _sidecar_of(path)
    sidecar = _file_bytes(beside) if beside.is_file() else None
    try:
        anchors = _anchors(roots)
        report = _read_report(data, path.suffix, sidecar, anchors)
    except (library().C2paError, UnicodeDecodeError) as error:
        return _unreadable(path, error, has_sidecar=sidecar is not None)
    return _verdict(path, data, sidecar, report)


def _read_report(data: bytes, suffix: str, sidecar: bytes | None, anchors: str) -> dict[str, Any]:
    audio_format = format_of(suffix)
    mime_type = audio_format.mime_type if audio_format else None
    reader = library().Reader(mime_type, io.BytesIO(data), manifest_data=sidecar, context=context(anchors))
    return dict(json.loads(reader.json()))


def _verdict(path: Path, data: bytes, sidecar: bytes | None, report: dict[str, Any]) -> Verdict:
    manifest = report.get("manifests", {}).get(report.get("active_manifest"), {})
    failures = report.get("validation_results", {}).get("activeManifest", {}).get("failure", [])
    reasons = [f"{failure['code']}: {failure.get('explanation', '')}" for failure in failures]
    state: State = report["validation_state"] if manifest else "Invalid"
    assertions = manifest.get("assertions", ())
    ours = next((item["data"] for item in assertions if item["label"] == PROVENANCE), None)
    if ours is not None:
        changes = list(changed_parts(data if sidecar is None else sidecar, ours.get("file_type")))
        reasons += [f"cuesmith.seal: {change}" for change in changes]
        state = "Invalid" if changes else state
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
        sidecar=None if sidecar is None else str(_sidecar_of(path)),
        manifest=manifest or None,
    )


def _unreadable(path: Path, error: Exception, *, has_sidecar: bool) -> Verdict:
    """The verdict if the library finds no credentials or cannot read them."""
    audio_format = format_of(path.suffix)
    can_hold = audio_format is not None and audio_format.holds_credentials
    not_found = isinstance(error, library().C2paError.ManifestNotFound)
    missing = not has_sidecar and (not can_hold or not_found)
    state: State = "Missing" if missing else "Invalid"
    reason = "no Content Credentials in it or beside it" if missing else f"it cannot be read: {error}"
    sidecar = str(_sidecar_of(path)) if has_sidecar else None
    return Verdict(str(path), state, (reason,), (), False, None, sidecar, None)


def _sidecar_of(path: Path) -> Path:
    return path.with_name(path.name + SIDECAR)


def _anchors(roots: Sequence[Path]) -> str:
    texts = [_file_bytes(root, "a PEM file").decode("utf-8", "replace") for root in roots]
    for root, text in zip(roots, texts, strict=True):
        if "-----BEGIN CERTIFICATE-----" not in text:
            raise UsageError(
                f"{root}: contains no certificate; give a PEM file with -----BEGIN CERTIFICATE-----"
            )
    if root_path().is_file():
        texts.append(root_path().read_text())
    return "\n".join(texts)


def _file_bytes(path: Path, expected: str = "a sound file") -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give the path of {expected}") from error


def changed_parts(data: bytes, file_type: str | None) -> Iterator[str]:
    """What differs in ``data`` (a file or a sidecar) from the credentials that Cuesmith would have written.

    ``file_type`` is the first box of an MP4 file in hex, as the signed claim records it.
    """
    start = data.find(_STORE) - _STORE_HEAD
    if start < 0:
        yield "the outer box of the credentials is missing"
        return
    size = struct.unpack_from(">I", data, start)[0]
    store = data[start : start + size]
    if len(store) != size:
        yield "the outer box of the credentials has a wrong size"
        return
    yield from _changed_boxes(store)
    yield from _changed_wrapping(data, start, size)
    if file_type is not None and file_type_of(data).hex() != file_type:
        yield "the file type box was changed"
    if file_type:
        boxes = _parts(data)
        if boxes is None or any(name in _MP4_FILLERS and payload for name, payload in boxes):
            yield "a box of the file that was empty was filled, or boxes have wrong sizes"


def _changed_wrapping(data: bytes, start: int, size: int) -> Iterator[str]:
    """Changes around the boxes, where neither the format's own reader nor C2PA's hash looks."""
    if start == 0:
        if len(data) != size:
            yield "there are bytes after the credentials"
    elif data[:4] == b"RIFF":
        if struct.unpack_from("<I", data, start - 4)[0] != size:
            yield "the C2PA chunk has a wrong size"
    elif data[4:8] == b"ftyp":
        head = struct.pack(">I", size + _MP4_HEAD) + b"uuid" + _MP4_CREDENTIALS + bytes(4) + b"manifest\0"
        if data[max(0, start - _MP4_HEAD) : start] != head + bytes(8):
            yield "the box around the credentials was changed"


def _changed_boxes(superbox: bytes) -> Iterator[str]:
    """Changes in one JUMBF superbox (header included) and in all boxes within it."""
    parts = _parts(superbox[8:])
    if parts is None or not parts or parts[0][0] != b"jumd":
        yield "the boxes of the credentials have wrong sizes"
        return
    (_, description), *content = parts
    kind, toggles = description[:4], description[16]
    label, closed, private = description[17:].partition(b"\0")
    shown = repr(label.decode("ascii", "replace"))
    if description[4:16] != _UUID_TAIL or not closed:
        yield "a box of the credentials has a damaged description"
    if toggles != (_AND_PRIVATE if private else _REQUESTABLE_WITH_LABEL):
        yield f"the flags of box {shown} were changed"
    if _LABELS.get(kind, label) != label:
        yield f"the name of box {shown} was changed"
    if kind == b"c2cs" and not (len(content) == 1 and _has_plain_padding(content[0][1])):
        yield "the padding of the signature was changed"
    for name, payload in content:
        if name == b"jumb":
            yield from _changed_boxes(struct.pack(">I", len(payload) + 8) + name + payload)


def _parts(payload: bytes) -> list[tuple[bytes, bytes]] | None:
    """The boxes of ``payload``; None if they do not fill it to its last byte."""
    parts, place = [], 0
    while place < len(payload):
        if place + 8 > len(payload):
            return None
        size = struct.unpack_from(">I", payload, place)[0]
        if size < 8 or place + size > len(payload):
            return None
        parts.append((payload[place + 4 : place + 8], payload[place + 8 : place + size]))
        place += size
    return parts


def _has_plain_padding(content: bytes) -> bool:
    """Whether a COSE signature has zeros as padding, and lengths that match."""
    match = _SIGNATURE.fullmatch(content)
    if match is None:
        return False
    padding = int.from_bytes(match[1] or match[2], "big")
    signature = int.from_bytes(match[4] or match[5], "big")
    return (padding, signature) == (len(match[3]), len(match[6]))
