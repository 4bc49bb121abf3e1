"""What is stale and why, and how the work is shared out."""

from pipeline.plan.decide import plan
from pipeline.plan.digests import group_digest, master_digest, mastering_digest
from pipeline.plan.estimating import BuildEstimate, ModelEstimate, estimate, expected
from pipeline.plan.kept import FROM_KEPT
from pipeline.plan.known import (
    APPROVED,
    EARLIER_TAKES_ITS_PLACE,
    LOCKED,
    LOCKED_IN_MANIFEST,
    MADE_BEFORE,
    TAKES_ITS_PLACE,
    WAITS,
    WILL_WAIT,
    Known,
)
from pipeline.plan.reasons import (
    chain_reasons,
    label_reasons,
    recipe_reasons,
    say,
    spec_reasons,
    specs_of,
    ucs_of,
)
from pipeline.plan.shards import Shard, share_out
from pipeline.plan.speeds import SpeedOf, learn, speeds_in
from pipeline.plan.validating import check_profiles
from pipeline.plan.values import Action, AssetPlan, Plan, TakeOrder, VariationPlan

__all__ = [
    "APPROVED",
    "EARLIER_TAKES_ITS_PLACE",
    "FROM_KEPT",
    "LOCKED",
    "LOCKED_IN_MANIFEST",
    "MADE_BEFORE",
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
    "SpeedOf",
    "TakeOrder",
    "VariationPlan",
    "chain_reasons",
    "check_profiles",
    "estimate",
    "expected",
    "group_digest",
    "label_reasons",
    "learn",
    "master_digest",
    "mastering_digest",
    "plan",
    "recipe_reasons",
    "say",
    "share_out",
    "spec_reasons",
    "specs_of",
    "speeds_in",
    "ucs_of",
]
