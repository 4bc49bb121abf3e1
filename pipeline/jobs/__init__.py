"""The two jobs that a worker does: recipes into durable takes, takes into durable masters.

A job is a frozen value that travels to a worker process; its events travel back. Everything that a job finishes
is in the store before its event is sent.
"""

from pipeline.jobs.events import Began, Broken, Done, Event, Failed, Mastered, Quarantined, TakeMade
from pipeline.jobs.masters import make_masters
from pipeline.jobs.orders import AssetOrder, MasterJob, VariationOrder
from pipeline.jobs.takes import TakesJob, make_takes

Job = TakesJob | MasterJob

__all__ = [
    "AssetOrder",
    "Began",
    "Broken",
    "Done",
    "Event",
    "Failed",
    "Job",
    "MasterJob",
    "Mastered",
    "Quarantined",
    "TakeMade",
    "TakesJob",
    "VariationOrder",
    "make_masters",
    "make_takes",
]
