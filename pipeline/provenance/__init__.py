"""Records that say where a take and a master came from.

`records` has the stored shapes, `disclosure` what listeners must be told, `facts` what only the making process
can know (clock, software, commit).
"""

from pipeline.provenance.disclosure import disclosure
from pipeline.provenance.records import (
    MASTER_SCHEMA,
    TAKE_SCHEMA,
    CredentialsJson,
    MadeFacts,
    ManifestFacts,
    MasterRecord,
    MasterRow,
    MissingCode,
    MissingRow,
    ModelFacts,
    ObjectJson,
    RenditionJson,
    Status,
    TakeRecord,
    WaitingRow,
)

__all__ = [
    "MASTER_SCHEMA",
    "TAKE_SCHEMA",
    "CredentialsJson",
    "MadeFacts",
    "ManifestFacts",
    "MasterRecord",
    "MasterRow",
    "MissingCode",
    "MissingRow",
    "ModelFacts",
    "ObjectJson",
    "RenditionJson",
    "Status",
    "TakeRecord",
    "WaitingRow",
    "disclosure",
]
