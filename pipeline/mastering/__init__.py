"""Trim, loop, loudness and peak work: pure functions on `Clip`."""

from pipeline.mastering.chain import Master, MasteredGroup, master
from pipeline.mastering.limiter import Limited, apply_gain, limit
from pipeline.mastering.measure import Measurement, measure
from pipeline.mastering.seam import Seam, measure_seam
from pipeline.mastering.shape import TakeInput
from pipeline.mastering.true_peak import true_peak

__all__ = [
    "Limited",
    "Master",
    "MasteredGroup",
    "Measurement",
    "Seam",
    "TakeInput",
    "apply_gain",
    "limit",
    "master",
    "measure",
    "measure_seam",
    "true_peak",
]
