"""Who signs: a certificate and its key, from files or from the environment and from nowhere else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import MachineError

CERTIFICATE_VARIABLE = "CUESMITH_C2PA_CERT"
KEY_VARIABLE = "CUESMITH_C2PA_KEY"
DEVELOPMENT = "development"
"""Name under which every machine's development certificate stands in records."""
REMEDY = "install the extra with: pip install 'cuesmith[c2pa]'"

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(r"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----.+?-----END ([A-Z]+ )?PRIVATE KEY-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate chain and the private key of its first certificate, both PEM."""

    certificates: str
    """The signer's own first, then its issuers."""
    key: str = field(repr=False)
    """Never in a record, a log or an error."""
    development: bool

    @property
    def name(self) -> str:
        """How records name the signer: `DEVELOPMENT`, or the SHA-256 of its certificate."""
        return DEVELOPMENT if self.development else _fingerprint(self.certificates)


def available() -> bool:
    """Whether the extra that signs is installed. Loads nothing."""
    return find_spec("c2pa") is not None


def configured() -> Identity | None:
    """The identity that `CERTIFICATE_VARIABLE` and `KEY_VARIABLE` give, each a file's path or the PEM itself.

    None when neither is set. Raises `MachineError` when only one is, or when one is no such PEM.
    """
    given = {name: os.environ.get(name, "").strip() for name in (CERTIFICATE_VARIABLE, KEY_VARIABLE)}
    if not any(given.values()):
        return None
    for name, value in given.items():
        if not value:
            raise MachineError(
                f"{name} is not set, and its partner is; set both to a PEM file's path, or neither"
            )
    certificates, key = (_pem(name, value) for name, value in given.items())
    if not _CERTIFICATE.search(certificates):
        raise MachineError(
            f"{CERTIFICATE_VARIABLE} holds no certificate; give the path of a PEM file with "
            "-----BEGIN CERTIFICATE-----, the signer's own first and then its issuers"
        )
    if not _KEY.search(key):
        raise MachineError(
            f"{KEY_VARIABLE} holds no private key without a passphrase; give the path of a PEM file with "
            "-----BEGIN PRIVATE KEY-----"
        )
    identity = Identity(certificates, key, development=False)
    _fingerprint(certificates)
    return identity


def _pem(name: str, value: str) -> str:
    """The PEM text of a variable. A value is never repeated in an error: it may be the key itself."""
    if value.startswith("-----BEGIN"):
        return value
    try:
        return Path(value).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise MachineError(
            f"the file that {name} names cannot be read ({reason}); give the path of a PEM file, or the PEM itself"
        ) from None


def _fingerprint(certificates: str) -> str:
    match = _CERTIFICATE.search(certificates)
    try:
        return hashlib.sha256(base64.b64decode(match[1] if match else "", validate=False)).hexdigest()
    except binascii.Error:
        raise MachineError(
            f"the first certificate of {CERTIFICATE_VARIABLE} is no PEM; export it again as PEM"
        ) from None
