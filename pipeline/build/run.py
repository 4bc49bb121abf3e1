"""One run of a build: its workers, its queue, its failures, and the steps that the flow calls."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from pipeline import jobs
from pipeline.build.dispatch import Dispatcher, Group, Work
from pipeline.build.journal import Journal
from pipeline.build.lock import build_lock
from pipeline.build.prepare import (
    Made,
    Prepared,
    failed_json,
    off_target_in,
    removed_names,
    waiting_in,
    watermark_lost_in,
    with_valid_plan,
)
from pipeline.build.publish import Published, publish, report_build
from pipeline.build.quarantine import quarantine_report, record_quarantine
from pipeline.build.runner import Runner
from pipeline.build.start import Start
from pipeline.build.usage import uses_json
from pipeline.build.workers import Item, Seat, Workers, names_of
from pipeline.credentials.signing import open_signer
from pipeline.errors import MachineError, UsageError
from pipeline.generators import Grouping, find_engine
from pipeline.jobs.work_items import store_inputs
from pipeline.plan import (
    MASTERING,
    OVERHEAD,
    Action,
    AssetPlan,
    BuildEstimate,
    Stage,
    TakeOrder,
    VariationPlan,
    engine_estimate,
    estimate,
    group_digest,
    master_digest,
    mastering_seconds,
    overhead_seconds,
    record_speed,
    recorded_speeds,
)
from pipeline.provenance import manifest_facts, master_name
from pipeline.provenance.facts import git_commit

_MASTERING = ("mastering",)
LEFT = "left for the next build, because the time was up"
_CPUS = "mastering"
"""The pool of mastering, and of engines with a worker on every core."""
LIMIT_S = 60.0
"""Least time limit of a take; of a master twice as long."""
_LIMIT_FACTOR = 10.0
"""How many times longer than estimated a take may take."""
_MASTER_LIMIT_FACTOR = 5.0
"""Seconds of mastering for each second of audio, at most."""
_logger = logging.getLogger(__name__)


class BuildRun:
    """State of one build. The flow's task threads call `serve`; leaving the context ends all workers.

    Every missing take and every asset to master is work in one queue. An asset is added when its last take is there.
    """

    def __init__(
        self,
        prepared: Prepared,
        runner: Runner,
        run: str,
        prefect_run: str | None,
        start: Start | None = None,
    ) -> None:
        """``start``: when the build began; by default now."""
        self._prepared = prepared
        self._runner = runner
        if prepared.store.root.startswith("memory:"):
            raise UsageError(
                f"{prepared.store.root} is visible to one process only, and a build runs several; "
                "give a folder or the URL of an object store"
            )
        self.run = run
        self._prefect_run = prefect_run
        self._start = start or Start(time.monotonic())
        self._began = self._start.began
        self._journal = Journal(prepared.store, run)
        self._lock = threading.Lock()
        self._awaited: dict[str, list[AssetPlan]] = {}
        """Takes without an outcome, by recipe digest, with the assets that need them."""
        self._takes_left: dict[str, int] = {}
        """By asset, how many of its takes have no outcome."""
        self._assets_left = len(prepared.plan.assets)
        """Assets that are not queued for mastering yet."""
        self._pools: dict[Group, tuple[str, tuple[str, ...]]] = {}
        """The pool of workers that can do each group of work: a name, and a device for each worker."""
        self._dispatcher: Dispatcher[Item] = Dispatcher(
            self._give_up, {_MASTERING}, deadline=self._start.deadline
        )
        self._workers = Workers(self._dispatcher, runner.start, self._session, self._on_event, self._on_began)
        self._failed_takes: dict[str, str] = {}
        self._failed: dict[tuple[str, int], tuple[Stage, str]] = {}
        self._made_takes: set[str] = set()
        self._took: dict[str, float] = {}
        self._made_masters: set[str] = set()
        self._existing: set[str] = set()
        """Masters that the plan makes and the store had."""
        self._digests: dict[tuple[str, int], str] = {}
        self._places: dict[str, tuple[str, int]] = {}
        """Asset and variation of each master that was queued, by its digest."""
        self._stages: dict[str, float] = {}
        self._estimate = BuildEstimate(0.0, 0.0, 0.0, 0.0, ())
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
        self._workers.stop()
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

    def begin(self) -> tuple[Seat, ...]:
        """Queue the work and return the places for workers. Stores conditioning audio before it returns."""
        plan, store = self._prepared.plan, self._prepared.store
        orders = store_inputs(plan.orders(), store)
        self._estimate = estimate(
            plan, self._devices_of, self._runner.mastering_devices(), recorded_speeds(store)
        )
        masters = [
            asset.asset.duration_s
            for asset in plan.assets
            for variation in asset.variations
            if variation.action.makes
        ]
        self._journal.write(
            "generate-began",
            takes=len(orders),
            audio_seconds=sum(order.recipe.seconds for order in orders),
            estimated_seconds=round(self._estimate.generate_seconds, 3),
            estimate=self._estimate.to_json(),
        )
        self._journal.write("master-began", masters=len(masters), audio_seconds=sum(masters))
        self._stages = {"generate": time.monotonic() if orders else 0.0, "master": time.monotonic()}
        seats = self._join_seats(orders)
        self._await_takes(orders)
        self._dispatcher.add(self._take_works(orders))
        self._add_assets([asset for asset in plan.assets if not self._takes_left[asset.asset.id]])
        return seats

    def serve(self, seat: Seat) -> str:
        """Let a worker on ``seat`` do its part of the work; return in words what it did."""
        self._workers.serve(seat)
        done = []
        if use := self._workers.generating.get(seat.name):
            in_use = use.to_json(use.last)["slot_use"]
            done.append(f"{use.items} takes, {in_use:.0%} of {use.slots} slots in use")
        if use := self._workers.mastering.get(seat.name):
            done.append(f"{use.items} assets mastered")
        return "; ".join(done) or "nothing to do"

    def _devices_of(self, engine: str) -> tuple[str, ...]:
        return self._runner.devices(find_engine(engine))

    def _join_seats(self, orders: Sequence[TakeOrder]) -> tuple[Seat, ...]:
        """Places for workers: on each engine's devices, and on the CPUs for mastering.

        Engines that have a worker on every core of a machine share these with mastering.
        """
        self._pools = {group_of(order): self._pool_of(order.recipe.engine) for order in orders}
        self._pools[_MASTERING] = _CPUS, self._runner.mastering_devices()
        most = max(len(orders), len(self._prepared.plan.stale))
        seats: list[Seat] = []
        for kind, devices in dict.fromkeys(self._pools.values()):
            for number, device in enumerate(devices[:most], 1):
                name = device if devices.count(device) == 1 else f"{device} {number}"
                names = {seat.name for seat in seats}
                seats.append(Seat(f"{name} ({kind})" if name in names else name, device, kind, devices))
        for seat in seats:
            self._dispatcher.join(seat.name, partial(self._can, seat))
        return tuple(seats)

    def _pool_of(self, engine: str) -> tuple[str, tuple[str, ...]]:
        shared = self._runner.shares_cpus(find_engine(engine))
        return _CPUS if shared else "devices", self._devices_of(engine)

    def _can(self, seat: Seat, group: Group) -> bool:
        return self._pools[group] == (seat.kind, seat.pool)

    def _await_takes(self, orders: Sequence[TakeOrder]) -> None:
        """Note which assets need which takes."""
        missing = {order.recipe.digest for order in orders}
        self._awaited = {digest: [] for digest in missing}
        for asset in self._prepared.plan.assets:
            needs = {
                recipe.digest for variation in asset.variations for recipe in variation.recipes
            } & missing
            self._takes_left[asset.asset.id] = len(needs)
            for digest in needs:
                self._awaited[digest].append(asset)

    def _take_works(self, orders: Sequence[TakeOrder]) -> Iterator[Work[Item]]:
        """Work for every take, with a time limit from the costliest of its group."""
        by_group: dict[Group, list[TakeOrder]] = {}
        for order in orders:
            by_group.setdefault(group_of(order), []).append(order)
        for group, own in by_group.items():
            device = (*self._pools[group][1], "cpu")[0]
            costliest = max(own, key=lambda order: order.cost)
            limit_s = take_limit_s(costliest, device)
            for order in own:
                yield Work(order.recipe.digest, order, group, order.cost, limit_s, order.priority)

    def _add_assets(self, assets: Sequence[AssetPlan]) -> None:
        """Queue assets whose takes all have an outcome, and close the queue after the last one."""
        with self._lock:
            orders = [order for asset in assets if (order := self._order(asset)) is not None]
        self._dispatcher.add(
            Work(
                order.asset.id,
                order,
                _MASTERING,
                order.seconds,
                master_limit_s(order),
                order.asset.priority,
            )
            for order in orders
        )
        with self._lock:
            self._assets_left -= len(assets)
            is_last = not self._assets_left
        if is_last:
            self._dispatcher.close(_MASTERING)

    def _session(self, group: Group, device: str) -> jobs.Session:
        left, session = self._dispatcher.seconds_left(), (device, self.run, self._prefect_run)
        if group == _MASTERING:
            return jobs.MasterSession(*session, seconds_left=left)
        return jobs.TakeSession(*session, group[0], group[-1] == _STORED, seconds_left=left)

    def _learn_speeds(self) -> None:
        """Record how long takes took, except for models with a failed take."""
        by_model: dict[tuple[str, str], list[TakeOrder]] = {}
        for order in self._prepared.plan.orders():
            by_model.setdefault((order.recipe.engine, order.recipe.model), []).append(order)
        for (engine, model), orders in by_model.items():
            digests = {order.recipe.digest for order in orders}
            if self._took.keys() >= digests:
                device = (*self._devices_of(engine), "cpu")[0]
                taken = sum(self._took[digest] for digest in digests)
                expected = engine_estimate(orders, device).seconds
                record_speed(self._prepared.store, engine, model, device, taken=taken, expected=expected)

    def _learn_rest(self) -> None:
        """Record how long mastering took, and all that is neither generating nor mastering, of a complete build."""
        if self._failed or self._left():
            return
        store, plan = self._prepared.store, self._prepared.plan
        taken = sum(use.slot_seconds for use in self._workers.mastering.values())
        record_speed(store, *MASTERING, "cpu", taken=taken, expected=mastering_seconds(plan))
        rest = time.monotonic() - self._began - max(self._stages.values())
        record_speed(store, *OVERHEAD, "cpu", taken=rest, expected=overhead_seconds(plan))

    def publish(self) -> None:
        """Publish what was made; publish nothing if everything failed and no other master exists."""
        if self._awaited:
            self._end_stage("generate")
        self._end_stage("master")
        self._journal.write("publish-began")
        self._keeps_store()
        self._fence()
        not_made = {place: reason for place, (_, reason) in self._failed.items()}
        made = Made(
            self._digests, frozenset(self._made_masters), dict.fromkeys(self._left(), LEFT) | not_made
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
        self._learn_rest()
        self._journal.write("build-done", **self.result())

    def _left(self) -> list[tuple[str, int]]:
        """What the plan makes and this run did not begin before its deadline: asset and variation."""
        if not self._dispatcher.is_late():
            return []
        done = self._made_masters | self._existing
        return [
            place
            for asset in self._prepared.plan.stale
            for variation in asset.variations
            if variation.action.makes
            for place in [(asset.asset.id, variation.variation)]
            if place not in self._failed and self._digests.get(place) not in done
        ]

    def result(self) -> dict[str, Any]:
        """Return the object that ``cuesmith build --json`` prints."""
        variations = sum(len(plan.variations) for plan in self._prepared.plan.assets)
        mastered = len(self._made_masters)
        left = self._left()
        version, library = self._done.version, self._done.library
        return {
            "version": version.number if version else None,
            "published": self._done.new,
            "generated": len(self._made_takes),
            "mastered": mastered,
            "reused": variations - mastered - len(self._failed) - len(left),
            "waiting": waiting_in(version),
            "off_target": off_target_in(version),
            "watermark_lost": watermark_lost_in(version),
            "failed": [
                failed_json(asset, variation, stage, reason, self._digests.get((asset, variation)))
                for (asset, variation), (stage, reason) in sorted(self._failed.items())
            ],
            "left": [{"asset": asset, "variation": variation} for asset, variation in sorted(left)],
            "removed": removed_names(self._prepared),
            "run": self.run,
            "report": self._report,
            "library": library.to_json() if library else None,
            "generate": {
                "seconds": round(self._stages.get("generate", 0.0), 3),
                "estimated_seconds": round(self._estimate.generate_seconds, 3),
                "basis": self._estimate.basis,
                "devices": uses_json(self._workers.generating.values()),
            },
            "estimated_seconds": round(self._estimate.seconds, 3),
            "seconds": round(time.monotonic() - self._began, 3),
        }

    def _on_began(self, item: str) -> None:
        """Show what a worker makes now."""
        with self._lock:
            assets, place = self._awaited.get(item), self._places.get(item)
        if assets:
            self._journal.show("began", item=item, stage="generate", name=assets[0].asset.id)
        elif place:
            self._journal.show("began", item=item, stage="master", name=master_name(*place))

    def _on_event(self, event: jobs.Event) -> None:
        """Record an outcome; once an asset's last take has one, queue the asset."""
        self._journal.show("ended", item=event.item)
        with self._lock:
            assets = self._awaited.pop(event.item, None)
            if assets is None:
                self._on_master(event)
                return
            self._on_take(event, [asset.asset.id for asset in assets])
            complete = []
            for asset in assets:
                self._takes_left[asset.asset.id] -= 1
                if not self._takes_left[asset.asset.id]:
                    complete.append(asset)
            is_last = not self._awaited
        if is_last:
            self._end_stage("generate")
            self._learn_speeds()
            devices = uses_json(self._workers.generating.values())
            self._journal.write("generate-done", seconds=self._stages["generate"], devices=devices)
        self._add_assets(complete)

    def _end_stage(self, stage: str) -> None:
        self._stages[stage] = round(time.monotonic() - self._stages[stage], 3)

    def _on_take(self, event: jobs.Event, assets: list[str]) -> None:
        if isinstance(event, jobs.TakeMade):
            self._made_takes.add(event.item)
            self._took[event.item] = event.took
            self._journal.write(
                "take", take=event.item, audio_seconds=event.seconds, took=round(event.took, 3)
            )
        elif isinstance(event, jobs.Failed):
            self._failed_takes[event.item] = event.reason
            self._journal.write("take-failed", take=event.item, assets=assets, reason=event.reason)

    def _on_master(self, event: jobs.Event) -> None:
        if isinstance(event, jobs.Mastered):
            self._made_masters.add(event.item)
            self._journal.write(
                "master", master=event.item, audio_seconds=event.seconds, took=round(event.took, 3)
            )
        elif isinstance(event, jobs.Failed | jobs.Quarantined):
            place = self._places[event.item]
            stage = Stage.QUALITY if isinstance(event, jobs.Quarantined) else Stage.MASTER
            self._fail(place, stage, event.reason)

    def _give_up(self, work: Work[Item], reason: str) -> None:
        """Record that work has failed which no worker could do."""
        for name in names_of(work.item):
            self._on_event(jobs.Failed(name, reason))

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
            self._places[digest] = plan.asset.id, number
            if quarantined:
                self._fail((plan.asset.id, number), Stage.QUALITY, quarantined)
            if made:
                self._existing.add(digest)
            orders.append(jobs.VariationOrder(number, takes, digest, made))
        if all(order.made for order in orders):
            return None
        facts = manifest_facts(self._prepared.project, plan.asset.source, self._git)
        return jobs.AssetOrder(plan.asset, tuple(orders), plan.anchors, group, facts)

    def _available(self, plan: AssetPlan, variation: VariationPlan) -> tuple[str, ...]:
        """Return the candidates that have a take; if there is none, record the variation as failed."""
        digests = [recipe.digest for recipe in variation.recipes]
        takes = tuple(digest for digest in digests if digest not in self._failed_takes)
        if not takes:
            self._fail((plan.asset.id, variation.variation), Stage.GENERATE, self._failed_takes[digests[0]])
        return takes


_STORED = "stored"


def take_limit_s(order: TakeOrder, device: str) -> float:
    """How long a take may take on a device."""
    return max(LIMIT_S, _LIMIT_FACTOR * engine_estimate([order], device).seconds)


def master_limit_s(order: jobs.AssetOrder) -> float:
    """How long mastering of an asset may take."""
    return max(2 * LIMIT_S, _MASTER_LIMIT_FACTOR * order.asset.duration_s * len(order.variations))


def group_of(order: TakeOrder) -> Group:
    """Takes of one group are made side by side, by one model."""
    recipe, engine = order.recipe, find_engine(order.recipe.engine)
    company = engine.group(recipe) if isinstance(engine, Grouping) else ""
    return recipe.engine, recipe.model, recipe.revision, company, _STORED if order.stored_take else ""
