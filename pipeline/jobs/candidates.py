"""Which of a variation's candidates is mastered: the cleanest one that repeats no other variation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pipeline.audio import Clip, read_take
from pipeline.errors import StoreError
from pipeline.jobs.orders import AssetOrder, VariationOrder
from pipeline.manifest.spec import AssetSpec
from pipeline.provenance import MASTER_SCHEMA, TAKE_SCHEMA, MasterRecord, TakeRecord
from pipeline.quality import Failure, Fingerprint, fingerprint, likeness, limits_of, score
from pipeline.store import ObjectRef, Store

HIDDEN_BY_MASTERING = frozenset({"clipping", "noise only", "tail noise"})
"""Gates on a take's samples and its whole band: after resampling and limiting the fault is heard, not seen."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A variation's best candidate, and how all scored."""

    order: VariationOrder
    record: TakeRecord
    clip: Clip
    candidates: tuple[dict[str, Any], ...]
    heard: Fingerprint
    alike: Failure | None
    """Another variation of the asset that it repeats."""
    faults: tuple[Failure, ...]
    """What is wrong with the take itself, which mastering would hide."""


def choose_all(order: AssetOrder, store: Store) -> list[Chosen]:
    """Each variation's best candidate, where there is a choice one that repeats no variation before it."""
    heard = [(f"the master {digest[:12]}", _fingerprint_of(digest, store)) for digest in order.anchors]
    chosen: list[Chosen] = []
    for variation in sorted(order.variations, key=lambda one: one.variation):
        one = _choose(order.asset, variation, heard, store)
        chosen.append(one)
        if one.alike is None:
            heard.append((f"variation {variation.variation}", one.heard))
    places = {one.order.variation: one for one in chosen}
    return [places[variation.variation] for variation in order.variations]


def _fingerprint_of(master: str, store: Store) -> Fingerprint:
    record = store.get_record("masters", master, MASTER_SCHEMA, MasterRecord)
    if record is None:
        raise StoreError(f"masters/{master}.json is gone; run `cuesmith verify`")
    return fingerprint(_take(record["take"]["digest"], store)[1])


def _choose(
    asset: AssetSpec, order: VariationOrder, heard: list[tuple[str, Fingerprint]], store: Store
) -> Chosen:
    """The candidate with the best score once what it repeats of ``heard`` is taken off; the first made wins
    a tie."""
    limits = limits_of(asset.quality, asset.kind)
    scored = []
    for digest in order.takes:
        record, clip = _take(digest, store)
        judged = score(clip, asset.kind, limits=limits)
        faults = tuple(failure for failure in judged.failures if failure.name in HIDDEN_BY_MASTERING)
        printed = fingerprint(clip)
        alike = _repeats(printed, heard, asset.quality.duplicates)
        if alike is not None:
            judged = judged.with_failure(alike)
        scored.append((judged.score, record, Chosen(order, record, clip, (), printed, alike, faults)))
    scored.sort(key=lambda item: -item[0])
    candidates = tuple(
        {"take": record["digest"], "object": record["object"]["sha256"], "score": number}
        for number, record, _ in scored
    )
    return replace(scored[0][2], candidates=candidates)


def _repeats(one: Fingerprint, heard: list[tuple[str, Fingerprint]], limit: float) -> Failure | None:
    """The failure of a sound that is nearly the same as one of ``heard``; the most alike is named."""
    alike = max(((likeness(one, other), name) for name, other in heard), default=(0.0, ""))
    if alike[0] < limit:
        return None
    return Failure("duplicate", round(alike[0], 4), limit, f"the sound is nearly that of {alike[1]}")


def _take(digest: str, store: Store) -> tuple[TakeRecord, Clip]:
    record = store.get_record("takes", digest, TAKE_SCHEMA, TakeRecord)
    if record is None:
        raise StoreError(f"takes/{digest}.json is gone; run the build again to make it anew")
    return record, read_take(store.get(ObjectRef.from_json(record["object"])))  # type: ignore[return-value]
