"""Takes that need no model, because an earlier take keeps all but the last step of them."""

from __future__ import annotations

from pipeline.generators import Engine, Redecoding
from pipeline.plan.known import Known
from pipeline.provenance import MasterRow
from pipeline.recipe import Recipe

FROM_KEPT = "from what its take keeps, without the model"


def kept_for(engine: Engine, recipe: Recipe, previous: MasterRow | None, known: Known) -> str | None:
    """Digest of a whole take from which ``recipe``'s can be made; None where there is none.

    The take of the recipe's origin is looked for, then those of the ``previous`` master.
    """
    if not isinstance(engine, Redecoding):
        return None
    origin = engine.origin(recipe)
    candidates: list[str] = [origin.digest, *(previous["takes"] if previous else ())]
    for digest in candidates:
        record = known.take(digest) if digest != recipe.digest else None
        if record is None or not record["attachments"]:
            continue
        made = Recipe.from_json(record["recipe"])
        whole = all(one["sha256"] in known.objects for one in record["attachments"].values())
        if whole and engine.origin(made) == origin:
            return digest
    return None
