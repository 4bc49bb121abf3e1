"""Checking: what a file's credentials say, and whether they still hold.

A signature covers the sound, the tags and what is claimed. It does not cover the padding beside it, names and flags of
the boxes that hold it, or the file type of an MP4; readers skip over these. A flipped bit there would go unseen, and
data could be hidden there. Credentials made by Cuesmith have one form only, so `departures` compares every such byte
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
from pipeline.credentials.signing import BESIDE, SIDECAR, context, file_type_of, library, mime_type
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
        told = _read_report(data, path.suffix, sidecar, anchors)
    except (library().C2paError, UnicodeDecodeError) as error:
        return _unreadable(path, error, beside if sidecar is not None else None)
    return _judge(path, data, sidecar, beside, told)


def _read_report(data: bytes, suffix: str, sidecar: bytes | None, anchors: str) -> dict[str, Any]:
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
"""Names that boxes of a type have, where no hash covers them."""
_SIGNATURE = re.compile(
    rb"\xd2\x84(?:\x58.|\x59..).+?\xa1\x63pad(?:\x58(.)|\x59(..))(\0*)\xf6(?:\x58(.)|\x59(..))(.+)", re.DOTALL
)
"""COSE_Sign1: protected header, ``{"pad": zeros}``, no payload, signature."""
_MP4_CREDENTIALS = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_MP4_HEAD = 45
_MP4_FILLERS = (b"free", b"skip")
"""Boxes that hold nothing, so C2PA's hash leaves out what is in them."""


def departures(data: bytes, file_type: str | None) -> Iterator[str]:
    """Where credentials of ours within ``data`` (a file or a sidecar) are not as we write them, in words.

    ``file_type`` is what the signed claim says of an MP4 file's first box, in hex.
    """
    found = data.find(_STORE) - _STORE_HEAD
    if found < 0:
        yield "the credentials' outer box cannot be found"
        return
    size = struct.unpack_from(">I", data, found)[0]
    store = data[found : found + size]
    if len(store) != size:
        yield "the credentials' outer box has a wrong size"
        return
    yield from _boxes(store)
    yield from _wrapping(data, found, size)
    if file_type is not None and file_type_of(data).hex() != file_type:
        yield "the file type box was changed"
    if file_type:
        boxes = _parts(data)
        if boxes is None or any(name in _MP4_FILLERS and payload for name, payload in boxes):
            yield "a box of the file that held nothing was filled, or boxes have wrong sizes"


def _wrapping(data: bytes, found: int, size: int) -> Iterator[str]:
    """What stands around the boxes, where the format's own reader or C2PA's hash does not look."""
    if found == 0:
        if len(data) != size:
            yield "something follows the credentials"
    elif data[:4] == b"RIFF":
        if struct.unpack_from("<I", data, found - 4)[0] != size:
            yield "the C2PA chunk has a wrong size"
    elif data[4:8] == b"ftyp":
        head = struct.pack(">I", size + _MP4_HEAD) + b"uuid" + _MP4_CREDENTIALS + bytes(4) + b"manifest\0"
        if data[max(0, found - _MP4_HEAD) : found] != head + bytes(8):
            yield "the box around the credentials was changed"


def _boxes(superbox: bytes) -> Iterator[str]:
    """Departures of one JUMBF superbox (header included) and all within it."""
    parts = _parts(superbox[8:])
    if parts is None or not parts or parts[0][0] != b"jumd":
        yield "the credentials' boxes have wrong sizes"
        return
    (_, description), *content = parts
    kind, toggles = description[:4], description[16]
    label, closed, private = description[17:].partition(b"\0")
    if description[4:16] != _UUID_TAIL or not closed:
        yield "a box of the credentials has a damaged description"
    if toggles != (_AND_PRIVATE if private else _REQUESTABLE_WITH_LABEL):
        yield f"the flags of box {_plain(label)} were changed"
    if _LABELS.get(kind, label) != label:
        yield f"the name of box {_plain(label)} was changed"
    if kind == b"c2cs" and not (len(content) == 1 and _is_plain_signature(content[0][1])):
        yield "the padding of the signature was changed"
    for name, payload in content:
        if name == b"jumb":
            yield from _boxes(struct.pack(">I", len(payload) + 8) + name + payload)


def _parts(payload: bytes) -> list[tuple[bytes, bytes]] | None:
    """The boxes that fill ``payload`` to its last byte; None when they do not."""
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


def _is_plain_signature(content: bytes) -> bool:
    match = _SIGNATURE.fullmatch(content)
    if match is None:
        return False
    padding = int.from_bytes(match[1] or match[2], "big")
    signature = int.from_bytes(match[4] or match[5], "big")
    return (padding, signature) == (len(match[3]), len(match[6]))


def _plain(label: bytes) -> str:
    return repr(label.decode("ascii", "replace"))
