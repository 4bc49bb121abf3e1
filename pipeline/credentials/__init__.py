"""Content Credentials (C2PA): who signs, what a claim says, signing, and checking signed files.

`signing` and `checking` need the extra ``c2pa``; importing this package does not load it. Two signatures are never
equal, so signing comes last: a master's identity is the hash of its samples, and its unsigned renditions are
reproducible.
"""

from pipeline.credentials.claim import PROVENANCE as PROVENANCE
from pipeline.credentials.claim import SignedFiles as SignedFiles
from pipeline.credentials.identity import DEVELOPMENT as DEVELOPMENT
from pipeline.credentials.identity import REMEDY as REMEDY
from pipeline.credentials.identity import available as available
from pipeline.credentials.identity import configured as configured
from pipeline.credentials.identity import signing_problems as signing_problems
