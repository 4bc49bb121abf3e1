"""Content Credentials (C2PA): who signs, what a claim says, signing, and checking signed files.

`signing` and `checking` need the extra ``c2pa``; importing this package does not load it. Two signatures are never
equal, so signing comes last: a master's identity is the hash of its samples, and its unsigned renditions are
reproducible.
"""

from pipeline.credentials.claim import PROVENANCE, Claim, SignedFiles
from pipeline.credentials.identity import (
    DEVELOPMENT,
    REMEDY,
    Identity,
    available,
    configured,
    signing_problems,
)

__all__ = [
    "DEVELOPMENT",
    "PROVENANCE",
    "REMEDY",
    "Claim",
    "Identity",
    "SignedFiles",
    "available",
    "configured",
    "signing_problems",
]
