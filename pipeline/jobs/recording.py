"""The record of a master: everything that is known of it, beside the files that it is delivered in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pipeline.audio import pcm_sha256
from pipeline.delivery import Labels, render
from pipeline.jobs.candidates import Chosen
from pipeline.jobs.objects import put_object
from pipeline.jobs.orders import AssetOrder, MasterJob
from pipeline.manifest.spec import AssetSpec
from pipeline.mastering import Master, MasteredGroup
from pipeline.plan import digests
from pipeline.provenance import MASTER_SCHEMA, MasterRecord, RenditionJson, disclosure
from pipeline.provenance.facts import now, software_versions
from pipeline.quality import QualityReport
from pipeline.store import Store


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
        title=f"{asset.origin}_{one.order.variation:02d}",
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
                object=put_object(store, made.data, f".{audio_format}"),
                lowered_db=made.lowered_db,
                decoded_true_peak_dbtp=made.decoded_true_peak_dbtp,
            )
        )
    return renditions
