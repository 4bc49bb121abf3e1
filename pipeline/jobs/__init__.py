"""What workers do: recipes into durable takes, takes into durable masters.

A worker gets sessions, and orders for each session one by one; it sends events back. Everything that it finishes is in
the store before its event is sent. `pipeline.jobs.takes` and `pipeline.jobs.masters`, which do the work, import all of
audio and mastering and are for workers only.
"""

from pipeline.jobs.work_items import AssetOrder as AssetOrder
from pipeline.jobs.work_items import Began as Began
from pipeline.jobs.work_items import Broken as Broken
from pipeline.jobs.work_items import Done as Done
from pipeline.jobs.work_items import EndSession as EndSession
from pipeline.jobs.work_items import Event as Event
from pipeline.jobs.work_items import Failed as Failed
from pipeline.jobs.work_items import Freed as Freed
from pipeline.jobs.work_items import Give as Give
from pipeline.jobs.work_items import Mastered as Mastered
from pipeline.jobs.work_items import MasterSession as MasterSession
from pipeline.jobs.work_items import Message as Message
from pipeline.jobs.work_items import Quarantined as Quarantined
from pipeline.jobs.work_items import Session as Session
from pipeline.jobs.work_items import Slots as Slots
from pipeline.jobs.work_items import TakeMade as TakeMade
from pipeline.jobs.work_items import TakeSession as TakeSession
from pipeline.jobs.work_items import VariationOrder as VariationOrder
from pipeline.jobs.work_items import Wants as Wants
