"""What is stale and why, and how the work is shared out."""

from pipeline.plan.decide import plan
from pipeline.plan.digests import group_digest, master_digest, mastering_digest
from pipeline.plan.estimating import BuildEstimate, ModelEstimate, estimate
from pipeline.plan.known import APPROVED, LOCKED, LOCKED_IN_MANIFEST, TAKES_ITS_PLACE, WAITS, WILL_WAIT, Known
from pipeline.plan.reasons import recipe_reasons, say, spec_reasons
from pipeline.plan.shards import Shard, share_out
from pipeline.plan.validating import check_profiles
from pipeline.plan.values import Action, AssetPlan, Plan, TakeOrder, VariationPlan

__all__ = [
    "APPROVED",
    "LOCKED",
    "LOCKED_IN_MANIFEST",
    "TAKES_ITS_PLACE",
    "WAITS",
    "WILL_WAIT",
    "Action",
    "AssetPlan",
    "BuildEstimate",
    "Known",
    "ModelEstimate",
    "Plan",
    "Shard",
    "TakeOrder",
    "VariationPlan",
    "check_profiles",
    "estimate",
    "group_digest",
    "master_digest",
    "mastering_digest",
    "plan",
    "recipe_reasons",
    "say",
    "share_out",
    "spec_reasons",
]
