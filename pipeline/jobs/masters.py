"""Takes into masters: choose, master together, judge, encode, record. One asset's variations share one gain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from pipeline.audio import Clip, Loop, pcm_sha256, read
from pipeline.delivery import Content, Labels, decode, labels_of, render
from pipeline.errors import CuesmithError, MachineError, MasteringError, StoreError
from pipeline.formats import FORMATS
from pipeline.gates import GATES
from pipeline.jobs.orders import OrderSource
from pipeline.jobs.work_items import (
    AssetOrder,
    Began,
    Event,
    Failed,
    Mastered,
    MasterSession,
    Quarantined,
    VariationOrder,
)
from pipeline.manifest.spec import AssetSpec
from pipeline.mastering import CHAIN_VERSION
from pipeline.mastering.chain import Master, master
from pipeline.mastering.shape import TakeInput
from pipeline.mastering.watermark import Watermarking, detect
from pipeline.plan import ucs_of
from pipeline.provenance import (
    MASTER_SCHEMA,
    MasterRecord,
    RenditionJson,
    TakeRecord,
    disclosure,
    master_record,
    take_record,
)
from pipeline.provenance.clock import now
from pipeline.provenance.facts import software_versions
from pipeline.quality import (
    Failure,
    Fingerprint,
    GateInput,
    QualityReport,
    duplicate,
    fingerprint,
    limits_of,
    score,
    score_failures,
)
from pipeline.scores.registry import open_score
from pipeline.store import ObjectRef, Store
from pipeline.watermarks import WatermarkJson, find_watermark, message_of, message_text
from pipeline.watermarks.registry import open_watermarker


@dataclass(frozen=True, slots=True)
class ChosenTake:
    """The best candidate of a variation."""

    order: VariationOrder
    record: TakeRecord
    clip: Clip
    candidates: tuple[dict[str, Any], ...]
    """Every candidate with its score, the best first."""
    fingerprint: Fingerprint
    duplicate: Failure | None
    """That it repeats another variation of the asset."""
    faults: tuple[Failure, ...]
    """Faults of the take that mastering would hide, and scores outside their limits."""
    scores: Mapping[str, float]
    """Value of each score that the manifest asks for, by its name."""


@dataclass(frozen=True, slots=True)
class JudgedMaster:
    """A master with its quality report, before it is in the store."""

    take: ChosenTake
    master: Master
    quality: QualityReport
    reason: str
    """Why it fails its gates, with the setting under which the whole asset passes."""
    seconds: float
    """Time that mastering took."""


def make_masters(
    session: MasterSession,
    store: Store,
    source: OrderSource[AssetOrder],
    emit: Callable[[Event], None],
    follow_up: Callable[[MasterRecord], None],
) -> None:
    """Master every asset of ``source``; each master of an order gets one outcome, which ``emit`` receives.

    ``follow_up`` gets the record of each new master, once its asset is done.

    An error fails only its own asset, except a `MachineError` (a full disk), which concerns the whole build and is
    raised.
    """
    while (order := source.next()) is not None:
        for digest in order.missing:
            emit(Began(digest))
        pending, made = set(order.missing), list[str]()
        reason = "mastering gave no result for it; report this as a bug"
        try:
            for event in _master_asset(session, order, store):
                pending.discard(event.item)
                emit(event)
                if not isinstance(event, Failed):
                    made.append(event.item)
        except MachineError:
            raise
        except CuesmithError as error:
            reason = str(error)
        except Exception as error:
            reason = f"mastering broke: {type(error).__name__}: {error}; report this as a bug"
        for digest in pending:
            emit(Failed(digest, reason))
        for digest in made:
            record = master_record(store, digest)
            if record is not None:
                follow_up(record)
        source.finish()


def _master_asset(session: MasterSession, order: AssetOrder, store: Store) -> Iterator[Event]:
    began = time.monotonic()
    takes = choose_takes(order, store)
    loops = [Loop(*take.record["loop"]) if take.record["loop"] else None for take in takes]
    inputs = [TakeInput(take.clip, loop) for take, loop in zip(takes, loops, strict=True)]
    mastered = master(
        inputs,
        order.asset.mastering,
        gain_anchor_db=_anchor_gain(order.anchors, store),
        watermarking=_watermarking(order),
    )
    results = list(zip(takes, mastered, strict=True))
    reports = {
        take.order.master: _judge(order.asset, result, take)
        for take, result in results
        if isinstance(result, Master) and not take.order.made
    }
    for take, result in results:
        digest = take.order.master
        if take.order.made:
            continue
        if isinstance(result, MasteringError):
            yield Failed(digest, str(result))
            continue
        took = time.monotonic() - began
        judged = JudgedMaster(take, result, reports[digest], reports[digest].reason(reports.values()), took)
        record = record_of(judged, session, order, store)
        store.put_record("masters", digest, record)
        began = time.monotonic()
        if record["quality"]["quarantined"]:
            yield Quarantined(digest, result.clip.seconds, took, judged.reason)
        else:
            yield Mastered(digest, result.clip.seconds, took)


def _watermarking(order: AssetOrder) -> Watermarking | None:
    """What marks the masters of an asset; None if the manifest asks for no watermark."""
    name = order.asset.watermark
    if name is None:
        return None
    found = find_watermark(name)
    facts = WatermarkJson(
        name=name,
        model=found.model,
        revision=found.revision,
        license=found.license,
        message=message_text(message_of(order.manifest["project"])),
        strength=1.0,
    )
    return Watermarking(open_watermarker(name), facts)


def _anchor_gain(anchors: tuple[str, ...], store: Store) -> float | None:
    for digest in anchors:
        record = master_record(store, digest)
        if record is not None:
            return float(record["loudness"]["gain_db"])
    return None


def _judge(asset: AssetSpec, result: Master, take: ChosenTake) -> QualityReport:
    """The quality gates on the master, with the faults of its take that mastering hides."""
    sound = GateInput(
        result.clip,
        requested_s=asset.mastering.duration_s if result.loop or asset.kind == "music" else None,
        rate_hz=asset.mastering.sample_rate_hz,
        loop=result.loop,
        known=(result.measured, result.seam),
    )
    report = score(sound, limits_of(asset.kind, asset.quality))
    for failure in (*take.faults, *([take.duplicate] if take.duplicate else [])):
        report = report.with_failure(failure)
    return report


def choose_takes(order: AssetOrder, store: Store) -> list[ChosenTake]:
    """The best candidate of each variation, if possible one that repeats no earlier variation."""
    others = [(f"the master {digest[:12]}", _fingerprint_of(digest, store)) for digest in order.anchors]
    chosen: dict[int, ChosenTake] = {}
    for variation in sorted(order.variations, key=lambda variation: variation.variation):
        take = chosen[variation.variation] = _choose(order.asset, variation, others, store)
        if take.duplicate is None:
            others.append((f"variation {variation.variation}", take.fingerprint))
    return [chosen[variation.variation] for variation in order.variations]


def _fingerprint_of(master: str, store: Store) -> Fingerprint:
    record = master_record(store, master)
    if record is None:
        raise StoreError(f"masters/{master}.json is gone; run `cuesmith verify`")
    return fingerprint(_take(record["take"]["digest"], store)[1])


def _choose(
    asset: AssetSpec, order: VariationOrder, others: list[tuple[str, Fingerprint]], store: Store
) -> ChosenTake:
    """The candidate with the best score, with what it repeats of ``others`` taken off; the first made wins a tie."""
    limits = limits_of(asset.kind, asset.quality)
    scored: list[tuple[tuple[bool, float], float, ChosenTake]] = []
    for digest in order.takes:
        record, clip = _take(digest, store)
        report = score(GateInput(clip), limits)
        faults = tuple(failure for failure in report.failures if GATES[failure.name].on_take)
        take_fingerprint = fingerprint(clip)
        repeated = duplicate(take_fingerprint, others, limits)
        if repeated is not None:
            report = report.with_failure(repeated)
        values = {score.name: open_score(score.name).score(clip, asset.prompt) for score in asset.scores}
        outside = score_failures(asset.scores, values)
        for failure in outside:
            report = report.with_failure(failure)
        take = ChosenTake(order, record, clip, (), take_fingerprint, repeated, (*faults, *outside), values)
        scored.append((_rank(asset, report, values), report.score, take))
    scored.sort(key=lambda item: item[0])
    candidates = tuple(
        {
            "take": take.record["digest"],
            "object": take.record["object"]["sha256"],
            "score": number,
            **({"scores": dict(take.scores)} if take.scores else {}),
        }
        for _, number, take in scored
    )
    return replace(scored[0][2], candidates=candidates)


def _rank(asset: AssetSpec, report: QualityReport, values: Mapping[str, float]) -> tuple[bool, float]:
    """The place of a candidate, the smallest first: by quality, or by the score that chooses among those that pass."""
    chooses = next((score.name for score in asset.scores if score.choose), None)
    return (False, -report.score) if chooses is None else (not report.passed, -values[chooses])


def _take(digest: str, store: Store) -> tuple[TakeRecord, Clip]:
    record = take_record(store, digest)
    if record is None:
        raise StoreError(f"takes/{digest}.json is gone; run the build again to make it again")
    return record, read(store.get(ObjectRef.from_json(record["object"])))


def record_of(judged: JudgedMaster, session: MasterSession, order: AssetOrder, store: Store) -> MasterRecord:
    """Encode the master, put its files into ``store``, and return its record.

    Raises `StoreError` or `MachineError` where the store cannot be written.
    """
    take, result, asset = judged.take, judged.master, order.asset
    takes = sorted(digest for variation in order.variations for digest in variation.takes)
    model = take.record["model"]
    statement = disclosure(neural=model["neural"], engine=model["engine"], model=model["id"])
    record = MasterRecord(
        schema=MASTER_SCHEMA,
        digest=take.order.master,
        asset=asset.id,
        variation=take.order.variation,
        kind=asset.kind,
        take=take.record,
        candidates=list(take.candidates),
        group=takes,
        gain_group=order.gain_group,
        anchors=list(order.anchors),
        mastering=asdict(asset.mastering),
        delivery={**asdict(asset.delivery), "formats": list(asset.delivery.formats)},
        chain=_chain(result),
        chain_version=CHAIN_VERSION,
        loudness=_loudness(result),
        measurements=result.measured.to_json(),
        gates=asdict(asset.quality),
        quality=_quality(asset, judged),
        loop=list(result.loop) if result.loop else None,
        pcm_sha256=pcm_sha256(result.clip, asset.delivery.bit_depth),
        renditions=[],
        manifest=order.manifest,
        disclosure=statement,
        made={
            "at": now(),
            "seconds": round(judged.seconds, 3),
            "run": session.run,
            "prefect_run": session.prefect_run,
            "device": session.device,
            "software": software_versions(),
        },
    )
    if asset.scores:
        record["scores"] = [score.to_json() for score in asset.scores]
    watermarking = _watermarking(order)
    if watermarking is not None:
        record["watermark"] = watermarking.facts
    content = Content(asset.delivery.bit_depth, result.loop, _labels(asset, record), result.measured)
    record["renditions"] = _renditions(asset, result.clip, content, watermarking, store)
    return record


def _chain(result: Master) -> list[dict[str, Any]]:
    """The mastering steps, and the seam of the loop that they made."""
    seam = result.seam
    return [*result.chain, *([{"step": "seam", **seam.to_json()}] if seam else [])]


def _loudness(result: Master) -> dict[str, Any]:
    gain = next(step for step in result.chain if step["step"] == "gain")
    return {
        "method": gain["method"],
        "target": gain["target"],
        "reached": gain["reached"],
        "gain_db": result.gain_db,
        "limited_db": round(result.limited_db, 3),
        "deviation": result.deviation,
    }


def _quality(asset: AssetSpec, judged: JudgedMaster) -> dict[str, Any]:
    report = judged.quality
    if report.passed or not asset.quality.gate:
        return {**report.to_json(), "quarantined": False}
    return {**report.to_json(), "quarantined": True, "reason": judged.reason}


def _labels(asset: AssetSpec, record: MasterRecord) -> Labels:
    prompt = "" if asset.private_prompts else record["take"]["recipe"]["prompt"]
    return labels_of(record, asset.origin, prompt, asset.bpm, ucs_of(asset))


def _renditions(
    asset: AssetSpec, clip: Clip, content: Content, watermarking: Watermarking | None, store: Store
) -> list[RenditionJson]:
    renditions = []
    for audio_format in asset.delivery.formats:
        made = render(clip, audio_format, content, ceiling_dbtp=asset.mastering.true_peak_dbtp)
        rendition = RenditionJson(
            format=audio_format,
            object=store.put(made.data, FORMATS[audio_format].suffix).to_json(),
            lowered_db=made.lowered_db,
            decoded_true_peak_dbtp=made.decoded_true_peak_dbtp,
        )
        if watermarking is not None:
            found = detect(decode(made.data, audio_format), watermarking.watermarker)
            rendition["watermark"] = found.to_json(watermarking.message)
        renditions.append(rendition)
    return renditions
