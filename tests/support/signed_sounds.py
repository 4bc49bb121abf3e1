"""A certificate of a studio's own, signed sounds in every format, and the claim that they carry."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from specs import labels

from pipeline.audio import Clip, Loop
from pipeline.credentials.claim import Claim, claim_of
from pipeline.credentials.identity import Identity
from pipeline.delivery import Content, encode
from pipeline.mastering.measure import measure

ROW: dict[str, Any] = {
    "asset": "music/forest",
    "variation": 1,
    "master": "9f" * 32,
    "engine": "audiocraft",
    "model": "facebook/musicgen-small",
    "revision": "4c8334b",
    "license": "CC-BY-NC-4.0",
    "prompt": "a secret idea of the art director",
    "take": "ab" * 32,
    "neural": True,
}


def claim(**also: str) -> Claim:
    return replace(claim_of("emberfall", ROW), **also)  # type: ignore[arg-type]


def rendition(audio_format: str, samples: int = 800) -> bytes:
    clip = Clip((0.3 * np.sin(np.arange(samples) * 0.05)).astype(np.float32)[None], 8000)
    text = labels(title="music/forest_01", project="emberfall", asset="music/forest", variation=1)
    return encode(
        clip, audio_format, Content("24", loop=Loop(0, clip.length), labels=text, measured=measure(clip))
    )


def studio_identity(days: int = 30) -> tuple[Identity, str]:
    """An identity as a studio would configure it, and the PEM of its root."""
    now, pem = datetime.datetime.now(datetime.UTC), serialization.Encoding.PEM
    root_key, key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())

    def named(name: str) -> x509.Name:
        pairs = ((NameOID.COMMON_NAME, name), (NameOID.ORGANIZATION_NAME, "Studio"))
        return x509.Name([x509.NameAttribute(*pair) for pair in pairs])

    def begin(name: str, public: Any) -> x509.CertificateBuilder:
        begins, ends = now - datetime.timedelta(days=60), now + datetime.timedelta(days=days)
        number = x509.random_serial_number()
        return x509.CertificateBuilder(named("Studio root"), named(name), public, number, begins, ends)

    def usage(sign: bool) -> x509.KeyUsage:
        return x509.KeyUsage(sign, False, False, False, False, not sign, False, False, False)

    root = (
        begin("Studio root", root_key.public_key())
        .add_extension(x509.BasicConstraints(True, 0), True)
        .add_extension(usage(False), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), False)
        .sign(root_key, hashes.SHA384())
    )
    leaf = (
        begin("Studio signer", key.public_key())
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(usage(True), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        .sign(root_key, hashes.SHA384())
    )
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    roots = root.public_bytes(pem).decode()
    return Identity(leaf.public_bytes(pem).decode() + roots, secret.decode(), False), roots
