"""Quality gates and scores of takes and masters."""

from pipeline.quality.fingerprint import Fingerprint as Fingerprint
from pipeline.quality.fingerprint import fingerprint as fingerprint
from pipeline.quality.gates import Failure as Failure
from pipeline.quality.gates import GateInput as GateInput
from pipeline.quality.gates import QualityReport as QualityReport
from pipeline.quality.gates import duplicate as duplicate
from pipeline.quality.gates import limits_of as limits_of
from pipeline.quality.gates import score as score
from pipeline.quality.gates import score_failures as score_failures
