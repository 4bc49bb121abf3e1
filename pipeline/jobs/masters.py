"""Takes into masters: choose, master together, judge, encode, record. One asset's variations share one gain."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pipeline.errors import CuesmithError, MachineError, MasteringError
from pipeline.jobs.candidates import Chosen, choose_all
from pipeline.jobs.events import Began, Event, Failed, Mastered, Quarantined
from pipeline.jobs.orders import AssetOrder, MasterJob
from pipeline.jobs.recording import Made, record_of
from pipeline.manifest.spec import AssetSpec
from pipeline.mastering import Master, TakeInput, master
from pipeline.provenance import MASTER_SCHEMA, MasterRecord
from pipeline.quality import Found, QualityReport, limits_of, score
from pipeline.store import Store


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
