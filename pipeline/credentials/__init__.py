"""Content Credentials (C2PA): who signs, what is claimed, signing, and checking what others signed.

`signing` and `checking` need the extra ``c2pa``; importing this package does not load it. A signature is never
the same twice, so it comes last: a master's identity is the hash of its samples, and its renditions before
signing are the same bytes for the same work.
"""

from pipeline.credentials.claim import PROVENANCE, Claim
from pipeline.credentials.identity import (
    CERTIFICATE_VARIABLE,
    DEVELOPMENT,
    KEY_VARIABLE,
    REMEDY,
    Identity,
    available,
    configured,
)

__all__ = [
    "CERTIFICATE_VARIABLE",
    "DEVELOPMENT",
    "KEY_VARIABLE",
    "PROVENANCE",
    "REMEDY",
    "Claim",
    "Identity",
    "available",
    "configured",
]
