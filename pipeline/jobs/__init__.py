"""The two jobs that a worker does: recipes into durable takes, takes into durable masters.

A job is a frozen value that is sent to a worker process, which sends events back. Everything that a job finishes is
in the store before its event is sent. `pipeline.jobs.takes` and `pipeline.jobs.masters`, which do the jobs, import
all of audio and mastering and are for workers only.
"""

from pipeline.jobs.work_items import AssetOrder as AssetOrder
from pipeline.jobs.work_items import Began as Began
from pipeline.jobs.work_items import Broken as Broken
from pipeline.jobs.work_items import Done as Done
from pipeline.jobs.work_items import Event as Event
from pipeline.jobs.work_items import Failed as Failed
from pipeline.jobs.work_items import Mastered as Mastered
from pipeline.jobs.work_items import MasterJob as MasterJob
from pipeline.jobs.work_items import Quarantined as Quarantined
from pipeline.jobs.work_items import TakeMade as TakeMade
from pipeline.jobs.work_items import TakesJob as TakesJob
from pipeline.jobs.work_items import VariationOrder as VariationOrder

Job = TakesJob | MasterJob
