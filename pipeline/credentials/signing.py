"""Signing: a rendition's bytes become the same sound with credentials in it, or beside it.

Every call of the C2PA library goes through here, with the settings that Cuesmith always gives it.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from pipeline.audio import Clip, read_chunks, wav_bytes
from pipeline.cpus import usable_cpus
from pipeline.credentials.claim import Claim, SignedFiles, claim_of, definition
from pipeline.credentials.development import development_identity
from pipeline.credentials.identity import (
    CERTIFICATE_VARIABLE,
    KEY_VARIABLE,
    REMEDY,
    Identity,
    available,
    configured,
    signing_problems,
)
from pipeline.errors import MachineError
from pipeline.formats import ANY_FORMAT, SIDECAR, AudioFormat, format_of
from pipeline.manifest.spec import CredentialsPolicy
from pipeline.provenance import MasterRow, ObjectJson
from pipeline.store import ObjectRef, Store

try:
    import c2pa
except ImportError:
    c2pa = None

try:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
except ImportError:
    UnsupportedAlgorithm = ValueError  # type: ignore[assignment, misc]

_CHUNK = "C2PA"
_FILLER = {"filler": "."}
"""Makes the claim one byte longer, so that a chunk of odd size becomes even."""
_PROBE_CLAIM = Claim("probe", "", {"model": "", "revision": ""})
_PROBE_WAV = wav_bytes(Clip(np.zeros((1, 1), np.float32), 8_000))


def library() -> Any:
    """The ``c2pa`` module. Raises `MachineError` if the extra is missing."""
    if c2pa is None:
        raise MachineError(f"Content Credentials need the package c2pa-python; {REMEDY}")
    return c2pa


def context(anchors: str = "") -> Any:
    """The library's settings: it fetches nothing from a network; ``anchors`` (PEM) are the trusted roots."""
    settings: dict[str, Any] = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
        "builder": {"thumbnail": {"enabled": False}},
    }
    if anchors:
        settings["trust"] = {"user_anchors": anchors}
    return library().Context.from_dict(settings)


def file_type_of(data: bytes) -> bytes:
    """The first box of an MP4 file, which names its type and which no C2PA hash covers; empty for other files."""
    if data[4:8] != b"ftyp":
        return b""
    return data[: struct.unpack_from(">I", data)[0]]


@dataclass(frozen=True, slots=True)
class Signed:
    """A rendition with its credentials."""

    data: bytes
    """The file; unchanged if the credentials are in a sidecar."""
    sidecar: bytes | None
    """The credentials' own file, for formats that cannot hold them."""


class Signer:
    """Signs renditions with one identity. May be used from several threads."""

    def __init__(self, identity: Identity) -> None:
        """Sign a probe, so that an identity that cannot sign fails before any work is done.

        Raises `MachineError`.
        """
        self.name = identity.name
        self._certificates = identity.certificates.encode()
        self._key = identity.key.encode()
        self._algorithm = _algorithm(self._key)
        self.sign(_PROBE_WAV, ".wav", _PROBE_CLAIM)

    def sign(self, data: bytes, suffix: str, claim: Claim) -> Signed:
        """``data``, a file of ``suffix`` such as ``.wav``, signed with ``claim``. The sound does not change.

        Two signatures are never equal. Raises `MachineError` with the library's reason.
        """
        audio_format = format_of(suffix)
        if audio_format is None:
            raise MachineError(f"a {suffix} file cannot be signed; sign {ANY_FORMAT}")
        facts = {"file_type": file_type_of(data).hex()} if suffix == ".m4a" else {}
        try:
            signed = self._signed(data, audio_format, claim, facts)
            if suffix == ".wav" and _credentials_size(signed.data) & 1:
                signed = self._signed(data, audio_format, claim, facts | _FILLER)
        except library().C2paError as error:
            raise MachineError(
                f"{claim.title}{suffix} cannot be signed: {error}; check that {CERTIFICATE_VARIABLE} names a C2PA "
                f"signing certificate that is valid today, and that {KEY_VARIABLE} names its key"
            ) from error
        return signed

    def _signed(self, data: bytes, audio_format: AudioFormat, claim: Claim, facts: dict[str, str]) -> Signed:
        """`sign` with the added ``facts`` in the claim. Raises `C2paError`."""
        out = io.BytesIO()
        info = library().C2paSignerInfo(self._algorithm, self._certificates, self._key, None)
        builder = library().Builder(json.dumps(definition(claim, facts)), context=context())
        if not audio_format.holds_credentials:
            builder.set_no_embed()
        signer = library().Signer.from_info(info)
        credentials = builder.sign(signer, audio_format.mime_type, io.BytesIO(data), out)
        if audio_format.holds_credentials:
            return Signed(out.getvalue(), None)
        return Signed(data, bytes(credentials))


def _credentials_size(wav: bytes) -> int:
    """Bytes in the chunk of a signed WAV that holds the credentials."""
    return next((len(chunk.data) for chunk in read_chunks(wav) if chunk.id == _CHUNK), 0)


def _algorithm(key: bytes) -> bytes:
    """The C2PA name of the signature algorithm of a private key."""
    library()
    try:
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise MachineError(
            f"{KEY_VARIABLE} contains no readable key; give a PEM private key without a passphrase"
        ) from None
    if isinstance(private, ec.EllipticCurvePrivateKey):
        name = {256: b"es256", 384: b"es384", 521: b"es512"}.get(private.curve.key_size)
    elif isinstance(private, rsa.RSAPrivateKey):
        name = b"ps256"
    else:
        name = b"ed25519" if isinstance(private, ed25519.Ed25519PrivateKey) else None
    if name is None:
        raise MachineError(
            f"C2PA does not support the type of key in {KEY_VARIABLE}; use EC P-256, RSA or Ed25519"
        )
    return name


def open_signer(policies: Mapping[str, CredentialsPolicy], manifest: str) -> Signer | None:
    """The signer for assets with ``policies`` (by id); None if none asks for it, or the extra is missing and optional.

    Raises `MachineError`, naming ``manifest``, if an asset requires credentials and this machine cannot sign.
    """
    required = "required" in policies.values()
    if set(policies.values()) <= {"none"} or not (required or available()):
        return None
    problem = next(signing_problems(policies, manifest), None)
    if problem is not None:
        raise MachineError(problem)
    return Signer(configured() or development_identity())


def sign_rows(
    signer: Signer, project: str, rows: Sequence[MasterRow], store: Store
) -> dict[tuple[str, int], SignedFiles]:
    """Sign the files of ``rows``, by asset id and variation. All signed files are durable on return."""
    with ThreadPoolExecutor(usable_cpus()) as threads:
        signed = threads.map(lambda row: _sign_row(signer, project, row, store), rows)
        return {(row["asset"], row["variation"]): files for row, files in zip(rows, signed, strict=True)}


def _sign_row(signer: Signer, project: str, row: MasterRow, store: Store) -> SignedFiles:
    claim = claim_of(project, row)
    files: dict[str, ObjectJson] = {}
    for path, item in row["files"].items():
        suffix = PurePosixPath(path).suffix
        signed = signer.sign(store.get(ObjectRef.from_json(item)), suffix, claim)
        files[path] = store.put(signed.data, suffix).to_json()
        if signed.sidecar is not None:
            files[path + SIDECAR] = store.put(signed.sidecar, SIDECAR).to_json()
    return SignedFiles(row["master"], signer.name, files)
