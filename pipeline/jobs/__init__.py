"""The two jobs that a worker does: recipes into durable takes, takes into durable masters.

A job is a frozen value that travels to a worker process; its events travel back. Everything that a job finishes
is in the store before its event is sent. What does the jobs, `pipeline.jobs.takes` and `pipeline.jobs.masters`, brings
all of audio and mastering with it and is for workers alone.
"""

from pipeline.jobs.work_items import (
    AssetOrder,
    Began,
    Broken,
    Done,
    Event,
    Failed,
    Mastered,
    MasterJob,
    Quarantined,
    TakeMade,
    TakesJob,
    VariationOrder,
)

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
]
