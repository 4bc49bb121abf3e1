"""The development certificate: made once on each machine, so that signing can be tried without buying one.

It says of itself that it is for development. It proves that a file was not changed since it was signed, and
nothing about who signed it. The root's key is thrown away as soon as it has signed the one certificate, so
nobody can make another under that root.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_config_path

from pipeline.credentials.identity import REMEDY, Identity
from pipeline.errors import MachineError
from pipeline.store.disk import write_atomically

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    x509 = None  # type: ignore[assignment]

ORGANISATION = "Cuesmith development, not for release"
_BEGIN_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_YEARS = 10
_KEY_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def folder() -> Path:
    """Where the development certificate is kept: ``CUESMITH_CONFIG``, else the user's config folder."""
    named = os.environ.get("CUESMITH_CONFIG")
    return Path(named) if named else user_config_path("cuesmith", appauthor=False)


def development_identity() -> Identity:
    """This machine's development identity, made on first use. Raises `MachineError` where it cannot be kept."""
    path = folder() / "development-credentials.pem"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=60):
            if not path.is_file():
                write_atomically(path, _make(), private=True)
            text = path.read_text()
            root = text[text.rindex(_BEGIN_CERTIFICATE) :].encode()
            if not root_path().is_file() or root_path().read_bytes() != root:
                write_atomically(root_path(), root)
    except OSError as error:
        raise MachineError(
            f"the development certificate cannot be kept in {path}: {error.strerror}; let CUESMITH_CONFIG name a "
            "folder that can be written, or set CUESMITH_C2PA_CERT and CUESMITH_C2PA_KEY"
        ) from error
    first = text.index(_BEGIN_CERTIFICATE)
    return Identity(text[first:], text[:first], development=True)


def root_path() -> Path:
    """The root of this machine's development certificate, to be trusted by whoever wants to."""
    return folder() / "development-root.pem"


def _make() -> bytes:
    """Key, certificate and root as PEM, in that order."""
    if x509 is None:
        raise MachineError(f"a development certificate needs the package cryptography; {REMEDY}")
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = (
        _begin("Cuesmith development root", root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(issuer, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        _begin("Cuesmith development certificate", key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return b"".join([secret, leaf.public_bytes(pem), root.public_bytes(pem)])


def _begin(name: str, public_key: Any) -> Any:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named("Cuesmith development root"))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
    )


def _named(name: str) -> Any:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
        ]
    )


def _usage(*uses: str) -> Any:
    return x509.KeyUsage(**{use: use in uses for use in _KEY_USES})
