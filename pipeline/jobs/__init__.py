"""The two jobs that a worker does: recipes into durable takes, takes into durable masters.

A job is a frozen value that is sent to a worker process, which sends events back. Everything that a job finishes is
in the store before its event is sent. `pipeline.jobs.takes` and `pipeline.jobs.masters`, which do the jobs, import
all of audio and mastering and are for workers only.
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
