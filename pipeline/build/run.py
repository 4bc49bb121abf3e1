"""One run of a build: its workers, its failures, and the steps that the flow calls."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from pipeline import jobs
from pipeline.build.devices import devices_for, parse_devices
from pipeline.build.journal import Journal
from pipeline.build.lock import build_lock
from pipeline.build.prepare import (
    Made,
    Prepared,
    failed_json,
    off_target_in,
    removed_names,
    waiting_in,
    with_valid_plan,
)
from pipeline.build.publish import Published, publish, report_build
from pipeline.build.quarantine import quarantine_report, record_quarantine
from pipeline.build.workers import JobRunner, JobType, WorkerPool
from pipeline.cpus import usable_cpus
from pipeline.credentials.signing import open_signer
from pipeline.errors import MachineError, UsageError
from pipeline.generators import find_engine
from pipeline.jobs.work_items import store_inputs
from pipeline.plan import (
    Action,
    AssetPlan,
    BuildEstimate,
    Shard,
    Stage,
    TakeOrder,
    VariationPlan,
    engine_estimate,
    estimate,
    group_digest,
    master_digest,
    record_speed,
    recorded_speeds,
    share_out,
)
from pipeline.provenance import ManifestFacts
from pipeline.provenance.facts import git_commit

_CHUNKS_PER_WORKER = 4
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AssetChunk:
    """Assets to master in one job."""

    orders: tuple[jobs.AssetOrder, ...]


class BuildRun:
    """State of one build. The flow's task threads call its methods; leaving the context ends all workers."""

    def __init__(self, prepared: Prepared, devices: str, run: str, prefect_run: str | None) -> None:
        self._prepared = prepared
        self._devices = parse_devices(devices)
        if prepared.store.root.startswith("memory:"):
            raise UsageError(
                f"{prepared.store.root} is visible to one process only, and a build runs several; "
                "give a folder or the URL of an object store"
            )
        self.run = run
        self._prefect_run = prefect_run
        self._began = time.monotonic()
        self._journal = Journal(prepared.store, run)
        self._pools: dict[tuple[str, ...], WorkerPool] = {}
        self._lock = threading.Lock()
        self._failed_takes: dict[str, str] = {}
        self._failed: dict[tuple[str, int], tuple[Stage, str]] = {}
        self._made_takes: set[str] = set()
        self._took: dict[str, float] = {}
        self._made_masters: set[str] = set()
        self._digests: dict[tuple[str, int], str] = {}
        self._stages: dict[str, float] = {}
        self._estimate = BuildEstimate(0.0, ())
        self._done = Published(None)
        self._report: str | None = None
        self._resources = contextlib.ExitStack()
        self._git = git_commit(Path(prepared.project.file).resolve().parent)

    def __enter__(self) -> BuildRun:
        open_signer(self._prepared.policies, self._prepared.project.file)
        # Read now: the version stores the text that it was built from, even if somebody edits the manifest meanwhile.
        _ = self._prepared.texts
        store, project = self._prepared.store, self._prepared.project.name
        self._fence = self._resources.enter_context(build_lock(store, project, self.run))
        self._keeps_store = self._resources.enter_context(store.shared())
        self._prepared = with_valid_plan(self._prepared)
        totals = self._prepared.plan.totals()
        _logger.info(
            "plan: %s", ", ".join(f"{count} {action}" for action, count in totals["actions"].items())
        )
        self._journal.write(
            "build-began",
            run=self.run,
            prefect_run=self._prefect_run,
            manifest=self._prepared.project.file,
            profile=self._prepared.project.profile,
            totals=totals,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pool in self._pools.values():
            pool.stop()
        try:
            if error is not None:
                # On a full disk the journal write fails too; keep the error that broke the build.
                with contextlib.suppress(MachineError):
                    self._journal.write("build-broken", reason=str(error) or type(error).__name__)
                    self._journal.close()
            else:
                self._journal.close()
        finally:
            self._resources.close()

    def shards(self) -> tuple[Shard, ...]:
        """Return what to generate, longest first. Stores its conditioning audio before it returns."""
        orders = store_inputs(self._prepared.plan.orders(), self._prepared.store)
        engines = {order.recipe.engine for order in orders}
        workers = sum(len(devices_for(find_engine(name), self._devices)) for name in engines)
        self._estimate = estimate(
            orders,
            lambda name: devices_for(find_engine(name), self._devices),
            workers,
            recorded_speeds(self._prepared.store),
        )
        self._journal.write(
            "generate-began",
            takes=len(orders),
            audio_seconds=sum(order.recipe.seconds for order in orders),
            estimated_seconds=round(self._estimate.seconds, 3),
            estimate=self._estimate.to_json(),
        )
        self._stages["generate"] = time.monotonic()
        return share_out(orders, max(workers, 1))

    def generate(self, shard: Shard) -> None:
        """Generate the takes of a shard on the engine's devices."""
        pool = self._pool(devices_for(find_engine(shard.engine), self._devices))

        def job(device: str, orders: Sequence[TakeOrder]) -> jobs.TakesJob:
            return jobs.TakesJob(shard.engine, device, tuple(orders), self.run, self._prefect_run)

        items = {order.recipe.digest: order for order in shard.orders if not self._is_made(order)}
        takes = JobType(job, lambda order: [order.recipe.digest], needs=(shard.engine, shard.model))
        JobRunner(pool, takes, items, self._on_take).run()

    def chunks(self) -> tuple[AssetChunk, ...]:
        """Return what to master after generating, in even chunks, longest first."""
        self._stages["generate"] = time.monotonic() - self._stages["generate"]
        self._learn_speeds()
        self._stages["master"] = time.monotonic()
        orders = [order for plan in self._prepared.plan.assets if (order := self._order(plan)) is not None]
        orders.sort(key=lambda order: (-order.seconds, order.asset.id))
        self._journal.write(
            "master-began",
            masters=sum(len(order.missing) for order in orders),
            audio_seconds=sum(order.seconds for order in orders),
            generate_seconds=round(self._stages["generate"], 3),
            generate_estimated_seconds=round(self._estimate.seconds, 3),
        )
        count = max(1, min(len(orders), len(self._mastering_devices()) * _CHUNKS_PER_WORKER))
        chunks = (AssetChunk(tuple(orders[first::count])) for first in range(count))
        return tuple(chunk for chunk in chunks if chunk.orders)

    def _learn_speeds(self) -> None:
        """Record how long takes took, except for models with a failed take."""
        for shard in share_out(self._prepared.plan.orders(), 1, 1):
            digests = [order.recipe.digest for order in shard.orders]
            prediction = engine_estimate(
                shard, device := devices_for(find_engine(shard.engine), self._devices)[0]
            )
            if not prediction.learned and self._took.keys() >= set(digests):
                taken = sum(self._took[digest] for digest in digests)
                names = shard.engine, shard.model, device
                record_speed(self._prepared.store, *names, taken=taken, expected=prediction.seconds)

    def master(self, chunk: AssetChunk) -> None:
        """Master a chunk of assets, each with all its variations."""
        pool = self._pool(self._mastering_devices())

        def job(device: str, orders: Sequence[jobs.AssetOrder]) -> jobs.MasterJob:
            return jobs.MasterJob(tuple(orders), self.run, self._prefect_run, device)

        items = {order.asset.id: order for order in chunk.orders}
        masters = JobType(job, lambda order: order.missing, needs=("mastering",))
        JobRunner(pool, masters, items, self._on_master).run()

    def publish(self) -> None:
        """Publish what was made; publish nothing if everything failed and no other master exists."""
        self._stages["master"] = time.monotonic() - self._stages["master"]
        self._keeps_store()
        self._fence()
        made = Made(
            self._digests,
            frozenset(self._made_masters),
            {place: reason for place, (_, reason) in self._failed.items()},
        )
        changed = record_quarantine(self._prepared, self.run, made)
        self._done = publish(
            self._prepared,
            run=self.run,
            made=made,
            build=self.result()
            | {"stages": self._stages, "git": self._git, "prefect_run": self._prefect_run},
            fence=self._fence,
        )
        if self._done.new or changed:
            self._report = report_build(self._prepared.store, self._done.version, self._journal)
        elif self._failed:
            self._report = quarantine_report(self._prepared)
        self._journal.write("build-done", **self.result())

    def result(self) -> dict[str, Any]:
        """Return the object that ``cuesmith build --json`` prints."""
        variations = sum(len(plan.variations) for plan in self._prepared.plan.assets)
        mastered = len(self._made_masters)
        version, library = self._done.version, self._done.library
        return {
            "version": version.number if version else None,
            "published": self._done.new,
            "generated": len(self._made_takes),
            "mastered": mastered,
            "reused": variations - mastered - len(self._failed),
            "waiting": waiting_in(version),
            "off_target": off_target_in(version),
            "failed": [
                failed_json(asset, variation, stage, reason, self._digests.get((asset, variation)))
                for (asset, variation), (stage, reason) in sorted(self._failed.items())
            ],
            "removed": removed_names(self._prepared),
            "run": self.run,
            "report": self._report,
            "library": library.to_json() if library else None,
            "generate": {
                "seconds": round(self._stages.get("generate", 0.0), 3),
                "estimated_seconds": round(self._estimate.seconds, 3),
                "basis": self._estimate.basis,
            },
            "seconds": round(time.monotonic() - self._began, 3),
        }

    def _pool(self, devices: tuple[str, ...]) -> WorkerPool:
        with self._lock:
            if devices not in self._pools:
                self._pools[devices] = WorkerPool(self._prepared.store.root, devices)
            return self._pools[devices]

    def _mastering_devices(self) -> tuple[str, ...]:
        """Return the mastering workers, all on the CPU: N for ``cpu:N``, else one per core."""
        cpus = [device for device in self._devices or () if device == "cpu"]
        return tuple(cpus) if cpus else ("cpu",) * usable_cpus()

    def _is_made(self, order: TakeOrder) -> bool:
        with self._lock:
            return order.recipe.digest in self._made_takes

    def _on_take(self, event: jobs.Event) -> None:
        with self._lock:
            if isinstance(event, jobs.TakeMade):
                self._made_takes.add(event.item)
                self._took[event.item] = event.took
                self._journal.write(
                    "take", take=event.item, audio_seconds=event.seconds, took=round(event.took, 3)
                )
            elif isinstance(event, jobs.Failed):
                self._failed_takes[event.item] = event.reason
                self._journal.write("take-failed", take=event.item, reason=event.reason)

    def _on_master(self, event: jobs.Event) -> None:
        with self._lock:
            if isinstance(event, jobs.Mastered):
                self._made_masters.add(event.item)
                self._journal.write(
                    "master", master=event.item, audio_seconds=event.seconds, took=round(event.took, 3)
                )
            elif isinstance(event, jobs.Failed | jobs.Quarantined):
                place = next(place for place, digest in self._digests.items() if digest == event.item)
                stage = Stage.QUALITY if isinstance(event, jobs.Quarantined) else Stage.MASTER
                self._fail(place, stage, event.reason)

    def _fail(self, place: tuple[str, int], stage: Stage, reason: str) -> None:
        self._failed[place] = (stage, reason)
        self._journal.write("failed", asset=place[0], variation=place[1], stage=stage, reason=reason)

    def _order(self, plan: AssetPlan) -> jobs.AssetOrder | None:
        """Return what to master of an asset; None if all its masters exist."""
        skipped = (Action.REUSE, Action.LOCKED) if plan.gain_group else (Action.LOCKED,)
        to_master = {
            variation.variation: variation for variation in plan.variations if variation.action not in skipped
        }
        available = {number: self._available(plan, variation) for number, variation in to_master.items()}
        for variation in plan.variations:
            if variation.quarantined and variation.variation not in to_master:
                self._digests[plan.asset.id, variation.variation] = variation.master
                self._fail((plan.asset.id, variation.variation), Stage.QUALITY, variation.quarantined)
        group = plan.gain_group or group_digest(takes for takes in available.values() if takes)
        orders = []
        for number, takes in available.items():
            if not takes:
                continue
            variation = to_master[number]
            if variation.action is Action.REUSE:
                digest, made, quarantined = variation.master, True, variation.quarantined
            else:
                digest = master_digest(plan.mastering, number, takes, group)
                made = self._prepared.known.master_is_whole(digest)
                quarantined = self._prepared.known.quarantined(digest)
            self._digests[plan.asset.id, number] = digest
            if quarantined:
                self._fail((plan.asset.id, number), Stage.QUALITY, quarantined)
            orders.append(jobs.VariationOrder(number, takes, digest, made))
        if all(order.made for order in orders):
            return None
        return jobs.AssetOrder(plan.asset, tuple(orders), plan.anchors, group, self._manifest_facts(plan))

    def _available(self, plan: AssetPlan, variation: VariationPlan) -> tuple[str, ...]:
        """Return the candidates that have a take; if there is none, record the variation as failed."""
        digests = [recipe.digest for recipe in variation.recipes]
        takes = tuple(digest for digest in digests if digest not in self._failed_takes)
        if not takes:
            self._fail((plan.asset.id, variation.variation), Stage.GENERATE, self._failed_takes[digests[0]])
        return takes

    def _manifest_facts(self, plan: AssetPlan) -> ManifestFacts:
        project, source = self._prepared.project, plan.asset.source
        return ManifestFacts(
            file=source.file,
            line=source.line,
            sha256=project.sha256,
            project=project.name,
            profile=project.profile,
            git=self._git,
        )
