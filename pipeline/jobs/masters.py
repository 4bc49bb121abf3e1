"""Takes into masters: choose, master together, judge, encode, record. One asset's variations share one gain."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from pipeline.audio import Clip, pcm_sha256, read_take
from pipeline.delivery import Labels, render
from pipeline.errors import CuesmithError, MachineError, MasteringError, StoreError
from pipeline.jobs.work_items import (
    AssetOrder,
    Began,
    Event,
    Failed,
    Mastered,
    MasterJob,
    Quarantined,
    VariationOrder,
)
from pipeline.manifest.spec import AssetSpec
from pipeline.mastering import Master, MasteredGroup, TakeInput, master
from pipeline.plan import digests
from pipeline.provenance import (
    MASTER_SCHEMA,
    TAKE_SCHEMA,
    MasterRecord,
    RenditionJson,
    TakeRecord,
    disclosure,
    master_name,
)
from pipeline.provenance.facts import now, software_versions
from pipeline.quality import (
    Failure,
    Fingerprint,
    Found,
    QualityReport,
    fingerprint,
    likeness,
    limits_of,
    score,
)
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


@dataclass(frozen=True, slots=True)
class Made:
    """A master that is made and judged, and not yet in the store."""

    chosen: Chosen
    master: Master
    group: MasteredGroup
    """What it shares its gain with."""
    judged: QualityReport
    seconds: float
    """That mastering took."""


def make_masters(job: MasterJob, store: Store) -> Iterator[Event]:
    """Master every asset of ``job``; yields one outcome for each master that an order wants.

    An asset that breaks fails alone. A `MachineError` (a full disk) is raised: it concerns the whole build.
    """
    for order in job.assets:
        yield from (Began(digest) for digest in order.wanted)
        waiting = set(order.wanted)
        try:
            for event in _master_asset(job, order, store):
                waiting.discard(event.item)
                yield event
        except MachineError:
            raise
        except CuesmithError as error:
            yield from (Failed(digest, str(error)) for digest in waiting)
        except Exception as error:
            reason = f"mastering broke: {type(error).__name__}: {error}; report this as a bug"
            yield from (Failed(digest, reason) for digest in waiting)


def _master_asset(job: MasterJob, order: AssetOrder, store: Store) -> Iterator[Event]:
    began = time.monotonic()
    chosen = choose_all(order, store)
    loops = [tuple(one.record["loop"]) if one.record["loop"] else None for one in chosen]
    inputs = [TakeInput(one.clip, loop) for one, loop in zip(chosen, loops, strict=True)]  # type: ignore[arg-type]
    group = master(inputs, order.asset.mastering, gain_anchor_db=_anchor_gain(order.anchors, store))
    for one, result in zip(chosen, group.results, strict=True):
        if one.order.made:
            continue
        if isinstance(result, MasteringError):
            yield Failed(one.order.master, str(result))
            continue
        took = time.monotonic() - began
        made = Made(one, result, group, _judge(order.asset, result, one), took)
        record = record_of(made, job, order, store)
        store.put_record("masters", one.order.master, record)
        began = time.monotonic()
        if record["quality"]["quarantined"]:
            yield Quarantined(one.order.master, made.judged.reason, result.clip.seconds, took)
        else:
            yield Mastered(one.order.master, result.clip.seconds, took)


def _anchor_gain(anchors: tuple[str, ...], store: Store) -> float | None:
    for digest in anchors:
        record = store.get_record("masters", digest, MASTER_SCHEMA, MasterRecord)
        if record is not None:
            return float(record["loudness"]["gain_db"])
    return None


def _judge(asset: AssetSpec, result: Master, one: Chosen) -> QualityReport:
    """The gates on the master, and what they found on its take that a new rate hides."""
    asked = asset.mastering.duration_s if result.loop or asset.kind == "music" else None
    judged = score(
        result.clip,
        asset.kind,
        asked_s=asked,
        rate_hz=asset.mastering.sample_rate_hz,
        loop=result.loop,
        limits=limits_of(asset.quality, asset.kind),
        found=Found(result.measured, result.seam),
    )
    known = {failure.name for failure in judged.failures}
    for failure in (*one.faults, *([one.alike] if one.alike else [])):
        judged = judged if failure.name in known else judged.with_failure(failure)
    return judged


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


def record_of(made: Made, job: MasterJob, order: AssetOrder, store: Store) -> MasterRecord:
    """Encode ``made``, put its files into ``store``, and say all that is known of it.

    Raises `StoreError` or `MachineError` where the store takes no more.
    """
    one, result, group = made.chosen, made.master, made.group
    takes = sorted(digest for variation in order.variations for digest in variation.takes)
    asset, model = order.asset, one.record["model"]
    told = disclosure(neural=model["neural"], engine=model["engine"], model=model["id"])
    renditions = _renditions(asset, result, _labels(order, one, told), store)
    return MasterRecord(
        schema=MASTER_SCHEMA,
        digest=one.order.master,
        asset=asset.id,
        variation=one.order.variation,
        kind=asset.kind,
        take=one.record,
        candidates=list(one.candidates),
        group=takes,
        gain_group=order.gain_group,
        anchors=list(order.anchors),
        mastering=asdict(asset.mastering),
        delivery={**asdict(asset.delivery), "formats": list(asset.delivery.formats)},
        chain=_chain(result),
        chain_version=digests.CHAIN_VERSION,
        loudness=_loudness(result, group),
        measurements=result.measured.to_json(),
        gates=asdict(asset.quality),
        quality=_quality(asset, made.judged),
        loop=list(result.loop) if result.loop else None,
        pcm_sha256=pcm_sha256(result.clip, asset.delivery.bit_depth),
        renditions=renditions,
        manifest=order.manifest,
        disclosure=told,
        made={
            "at": now(),
            "seconds": round(made.seconds, 3),
            "run": job.run,
            "prefect_run": job.prefect_run,
            "device": job.device,
            "software": software_versions(),
        },
    )


def _chain(result: Master) -> list[dict[str, Any]]:
    """The steps of mastering, and how the loop that they made wraps."""
    seam = result.seam
    return [*result.chain, *([{"step": "seam", **seam.to_json()}] if seam else [])]


def _loudness(result: Master, group: MasteredGroup) -> dict[str, Any]:
    gain = next(step for step in result.chain if step["step"] == "gain")
    return {
        "method": group.method,
        "target": group.target,
        "reached": gain["reached"],
        "gain_db": result.gain_db,
        "limited_db": round(result.limited_db, 3),
        "deviation": result.deviation,
    }


def _quality(asset: AssetSpec, judged: QualityReport) -> dict[str, Any]:
    """What the record says of quality."""
    if judged.passed or not asset.quality.gate:
        return {**judged.to_json(), "quarantined": False}
    return {**judged.to_json(), "quarantined": True, "reason": judged.reason}


def _labels(order: AssetOrder, one: Chosen, told: dict[str, str]) -> Labels:
    asset, model = order.asset, one.record["model"]
    return Labels(
        title=master_name(asset.origin, one.order.variation),
        project=order.manifest["project"],
        asset=asset.origin,
        variation=one.order.variation,
        kind=asset.kind,
        catalog_id=one.order.master,
        disclosure=told["statement"],
        generated=model["neural"],
        license=model["license"],
        recipe_digest=one.record["digest"],
        tempo_bpm=asset.bpm,
        ucs_category=asset.ucs.category if asset.ucs else None,
        ucs_name=asset.ucs.name if asset.ucs else None,
    )


def _renditions(asset: AssetSpec, result: Master, labels: Labels, store: Store) -> list[RenditionJson]:
    renditions = []
    for audio_format in asset.delivery.formats:
        made = render(
            result.clip,
            audio_format,
            asset.delivery.bit_depth,
            loop=result.loop,
            labels=labels,
            measured=result.measured,
            ceiling_dbtp=asset.mastering.true_peak_dbtp,
        )
        renditions.append(
            RenditionJson(
                format=audio_format,
                object=store.put(made.data, f".{audio_format}").to_json(),
                lowered_db=made.lowered_db,
                decoded_true_peak_dbtp=made.decoded_true_peak_dbtp,
            )
        )
    return renditions
