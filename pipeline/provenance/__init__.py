"""Records that say where a take and a master came from.

`records` has the stored shapes and the disclosure for listeners, `facts` what only the process that makes a sound
can know (clock, software, commit).
"""

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
    RenditionJson,
    Status,
    TakeRecord,
    WaitingRow,
    disclosure,
    master_name,
    master_record,
    master_records,
    model_facts,
    name_of,
    place_of,
    take_record,
)
from pipeline.store import ObjectJson

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
    "master_name",
    "master_record",
    "master_records",
    "model_facts",
    "name_of",
    "place_of",
    "take_record",
]
