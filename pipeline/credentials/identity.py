"""Who signs: a certificate and its key, from files or from the environment."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import MachineError
from pipeline.manifest.spec import CredentialsPolicy

CERTIFICATE_VARIABLE = "CUESMITH_C2PA_CERT"
KEY_VARIABLE = "CUESMITH_C2PA_KEY"
DEVELOPMENT = "development"
"""The signer's name in records if a machine's development certificate signed."""
REMEDY = "install the extra with: pip install 'cuesmith[c2pa]'"

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(r"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----.+?-----END ([A-Z]+ )?PRIVATE KEY-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate chain and the private key of its first certificate, both PEM."""

    certificates: str
    """The signer's own first, then its issuers'."""
    key: str = field(repr=False)
    """Never in a record, a log or an error."""
    development: bool

    @property
    def name(self) -> str:
        """The signer's name in records: `DEVELOPMENT`, or the SHA-256 of its certificate."""
        return DEVELOPMENT if self.development else _fingerprint(self.certificates)


def available() -> bool:
    """Whether the extra that signs is installed. Loads nothing."""
    return find_spec("c2pa") is not None


def configured() -> Identity | None:
    """The identity in `CERTIFICATE_VARIABLE` and `KEY_VARIABLE`, each a file's path or the PEM text itself.

    None if neither is set. Raises `MachineError` if only one is set or one is not such a PEM.
    """
    values = {name: os.environ.get(name, "").strip() for name in (CERTIFICATE_VARIABLE, KEY_VARIABLE)}
    if not any(values.values()):
        return None
    for name, value in values.items():
        if not value:
            raise MachineError(
                f"{name} is not set, but the other variable is; set {CERTIFICATE_VARIABLE} and {KEY_VARIABLE} to "
                "PEM files, or neither"
            )
    certificates, key = (_pem(name, value) for name, value in values.items())
    if not _CERTIFICATE.search(certificates):
        raise MachineError(
            f"{CERTIFICATE_VARIABLE} contains no certificate; give the path of a PEM file with "
            "-----BEGIN CERTIFICATE-----, the signer's own certificate first, then its issuers'"
        )
    if not _KEY.search(key):
        raise MachineError(
            f"{KEY_VARIABLE} contains no private key without a passphrase; give the path of a PEM file with "
            "-----BEGIN PRIVATE KEY-----"
        )
    identity = Identity(certificates, key, development=False)
    _fingerprint(certificates)
    return identity


def signing_problems(policies: Mapping[str, CredentialsPolicy], manifest: str) -> Iterator[str]:
    """Yield why this machine cannot sign, if any asset requires it.

    ``policies`` are the assets' policies by id, ``manifest`` is the file that sets them.
    """
    required = next((asset for asset, policy in policies.items() if policy == "required"), None)
    if required is None:
        return
    place = f"{manifest}: {required} has credentials: required"
    if not available():
        yield f"{place}, but the package c2pa-python is not installed; {REMEDY}"
    try:
        identity = configured()
    except MachineError as error:
        yield str(error)
        return
    if identity is None:
        yield (
            f"{place}, but no certificate is configured; set {CERTIFICATE_VARIABLE} and {KEY_VARIABLE} to PEM files, "
            "or write credentials: development"
        )


def _pem(name: str, value: str) -> str:
    """The PEM text of a variable. Errors never quote the value, because it may be the key itself."""
    if value.startswith("-----BEGIN"):
        return value
    try:
        return Path(value).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise MachineError(
            f"cannot read the file in {name} ({reason}); give the path of a PEM file, or the PEM text itself"
        ) from None


def _fingerprint(certificates: str) -> str:
    match = _CERTIFICATE.search(certificates)
    try:
        return hashlib.sha256(base64.b64decode(match[1] if match else "", validate=False)).hexdigest()
    except binascii.Error:
        raise MachineError(
            f"the first certificate in {CERTIFICATE_VARIABLE} is not PEM; export it again as PEM"
        ) from None
