"""Signing: a rendition's bytes become the same sound with credentials in it, or beside it.

Every call of the C2PA library goes through here, with the settings that Cuesmith always gives it.
"""

from __future__ import annotations

import io
import json
import struct
from dataclasses import dataclass
from typing import Any

from pipeline.audio.wav_writer import find_chunks
from pipeline.credentials.claim import Claim, definition
from pipeline.credentials.identity import CERTIFICATE_VARIABLE, KEY_VARIABLE, REMEDY, Identity
from pipeline.errors import MachineError

try:
    import c2pa as _found
except ImportError:
    _found = None

_MIME_TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
}
BESIDE = frozenset({".ogg", ".opus"})
"""Formats that cannot hold credentials: theirs stand in a file of their own, ``sound.ogg.c2pa``."""
SIDECAR = ".c2pa"


def library() -> Any:
    """The ``c2pa`` module. Raises `MachineError` when the extra is missing."""
    if _found is None:
        raise MachineError(f"Content Credentials need the package c2pa-python; {REMEDY}")
    return _found


def context(anchors: str = "") -> Any:
    """Settings: nothing is fetched from anywhere; ``anchors`` (PEM) are the roots to trust."""
    settings: dict[str, Any] = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
        "builder": {"thumbnail": {"enabled": False}},
    }
    if anchors:
        settings["trust"] = {"user_anchors": anchors}
    return library().Context.from_dict(settings)


def mime_type(suffix: str) -> str | None:
    """The media type of a file suffix that we deliver; None for others."""
    return _MIME_TYPES.get(suffix.lower())


def file_type_of(data: bytes) -> bytes:
    """The first box of an MP4 file, which says its type and which no C2PA hash covers; empty for others."""
    if data[4:8] != b"ftyp":
        return b""
    return data[: struct.unpack_from(">I", data)[0]]


try:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key
except ImportError:
    UnsupportedAlgorithm = ValueError  # type: ignore[assignment, misc]

_CHUNK = "C2PA"
_FILLER = {"filler": "."}
"""An odd number of bytes in the claim, for a chunk that has an odd size without it."""
_PROBE_CLAIM = Claim("probe", "", "probe", 1, "", "", "", "", "", "", "", "", "")
_PROBE_WAV = (
    b"RIFF" + struct.pack("<I", 38) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
    + b"data" + struct.pack("<IH", 2, 0)
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Signed:
    """A rendition with its credentials."""

    data: bytes
    """The file; unchanged where the credentials stand beside it."""
    sidecar: bytes | None
    """The credentials' own file, for formats that cannot hold them."""


class Signer:
    """Signs renditions with one identity. May be used from several threads."""

    def __init__(self, identity: Identity) -> None:
        """Signs a probe, so that whatever is wrong with the identity is known before there is work to lose.

        Raises `MachineError`.
        """
        self.name = identity.name
        self._certificates = identity.certificates.encode()
        self._key = identity.key.encode()
        self._algorithm = _algorithm(self._key)
        self.sign(_PROBE_WAV, ".wav", _PROBE_CLAIM)

    def sign(self, data: bytes, suffix: str, claim: Claim) -> Signed:
        """``data``, a file of ``suffix`` such as ``.wav``, with ``claim`` signed. The sound stays as it is.

        Two signatures are never equal. Raises `MachineError` with the library's reason.
        """
        media = mime_type(suffix)
        if media is None:
            raise MachineError(f"a {suffix} file cannot be signed; sign wav, flac, ogg, opus, mp3 or m4a")
        also = {"file_type": file_type_of(data).hex()} if suffix == ".m4a" else {}
        try:
            signed = self._signed(data, suffix, media, claim, also)
            if suffix == ".wav" and _credentials_size(signed.data) & 1:
                signed = self._signed(data, suffix, media, claim, also | _FILLER)
        except library().C2paError as error:
            raise MachineError(
                f"{claim.title}{suffix} cannot be signed: {error}; check that {CERTIFICATE_VARIABLE} holds a C2PA "
                f"signing certificate that is valid today, and {KEY_VARIABLE} its key"
            ) from error
        return signed

    def _signed(self, data: bytes, suffix: str, media: str, claim: Claim, also: dict[str, str]) -> Signed:
        """`sign` with the facts of ``also`` in the claim. Raises `C2paError`."""
        c2pa = library()
        out = io.BytesIO()
        info = c2pa.C2paSignerInfo(self._algorithm, self._certificates, self._key, None)
        builder = c2pa.Builder(json.dumps(definition(claim, also)), context=context())
        if suffix in BESIDE:
            builder.set_no_embed()
        made = builder.sign(c2pa.Signer.from_info(info), media, io.BytesIO(data), out)
        return Signed(data, bytes(made)) if suffix in BESIDE else Signed(out.getvalue(), None)


def _credentials_size(wav: bytes) -> int:
    """Bytes of the chunk that holds a signed WAV's credentials."""
    return next((size for name, _, size in find_chunks(wav) if name == _CHUNK), 0)


def _algorithm(key: bytes) -> bytes:
    """The C2PA name of the signature algorithm that a private key is for."""
    library()
    try:
        private = load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise MachineError(
            f"{KEY_VARIABLE} holds no key that can be read; give a PEM private key without a passphrase"
        ) from None
    if isinstance(private, ec.EllipticCurvePrivateKey):
        name = {256: b"es256", 384: b"es384", 521: b"es512"}.get(private.curve.key_size)
    elif isinstance(private, rsa.RSAPrivateKey):
        name = b"ps256"
    else:
        name = b"ed25519" if isinstance(private, ed25519.Ed25519PrivateKey) else None
    if name is None:
        raise MachineError(
            f"{KEY_VARIABLE} is a key that C2PA does not sign with; use EC P-256, RSA or Ed25519"
        )
    return name
