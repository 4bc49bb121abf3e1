"""Records that say where a take and a master came from.

`records` has the stored shapes and the disclosure for listeners, `facts` what only the process that makes a sound
can know (clock, software, commit).
"""

from pipeline.provenance.records import MASTER_SCHEMA as MASTER_SCHEMA
from pipeline.provenance.records import TAKE_SCHEMA as TAKE_SCHEMA
from pipeline.provenance.records import CredentialsJson as CredentialsJson
from pipeline.provenance.records import ManifestFacts as ManifestFacts
from pipeline.provenance.records import MasterRecord as MasterRecord
from pipeline.provenance.records import MasterRow as MasterRow
from pipeline.provenance.records import MissingRow as MissingRow
from pipeline.provenance.records import RenditionJson as RenditionJson
from pipeline.provenance.records import Status as Status
from pipeline.provenance.records import TakeRecord as TakeRecord
from pipeline.provenance.records import WaitingRow as WaitingRow
from pipeline.provenance.records import disclosure as disclosure
from pipeline.provenance.records import failures_of as failures_of
from pipeline.provenance.records import manifest_facts as manifest_facts
from pipeline.provenance.records import master_name as master_name
from pipeline.provenance.records import master_record as master_record
from pipeline.provenance.records import master_records as master_records
from pipeline.provenance.records import model_facts as model_facts
from pipeline.provenance.records import model_license as model_license
from pipeline.provenance.records import name_of as name_of
from pipeline.provenance.records import place_of as place_of
from pipeline.provenance.records import signer_of as signer_of
from pipeline.provenance.records import take_record as take_record
from pipeline.store import ObjectJson as ObjectJson
