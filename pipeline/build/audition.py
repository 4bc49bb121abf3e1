"""An audition: one asset made by several engines and models, to choose by ear.

Takes and masters go into the store as a build makes them, so that a later build with the chosen engine reuses them.
Nothing is published.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.build.devices import devices_for
from pipeline.build.dispatch import Dispatcher, Work
from pipeline.build.journal import new_run_id
from pipeline.build.prepare import BuildRequest, Prepared
from pipeline.build.readiness import require
from pipeline.build.run import by_group, master_work, take_works
from pipeline.build.workers import Seat, SessionBroken, Worker, Workers
from pipeline.catalog import Catalog, Reviews, master_row
from pipeline.errors import MachineError, UsageError
from pipeline.generators import engine_keys, find_engine
from pipeline.jobs import work_items
from pipeline.manifest import beside, nearest
from pipeline.manifest.loader import load
from pipeline.manifest.spec import AssetSpec, Project
from pipeline.plan import AssetPlan, group_digest, master_digest, plan
from pipeline.plan.values import Known
from pipeline.provenance import ManifestFacts, manifest_facts, master_record, model_license
from pipeline.provenance.facts import git_commit
from pipeline.report.audition import AuditionedTake, AuditionPage, write_audition
from pipeline.store import Store

_SEEDS = 2**53


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, and one of its models."""

    engine: str
    model: str | None
    """None: the engine's default."""

    @classmethod
    def parse(cls, text: str) -> Choice:
        """Read ``engine`` or ``engine:model``. Raises `UsageError`.

        >>> Choice.parse("audiocraft:facebook/musicgen-small")
        Choice(engine='audiocraft', model='facebook/musicgen-small')
        """
        engine, colon, model = (part.strip() for part in text.strip().partition(":"))
        if not engine or (colon and not model):
            raise UsageError(
                f"--engines: {text!r} is not an engine; write engine or engine:model, with commas between"
            )
        return cls(engine, model or None)


@dataclass(frozen=True, slots=True)
class AuditionRequest:
    """What to make."""

    manifest: Path
    outputs: str
    profile: str | None
    asset: str
    choices: tuple[Choice, ...]
    count: int
    """Takes of each choice."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One take of the audition: its plan, and how it is named and written."""

    plan: AssetPlan
    label: str
    line: str
    master: str
    group: str

    @property
    def take(self) -> str:
        return self.plan.variations[0].recipes[0].digest


@dataclass
class Audition:
    """One audition in progress."""

    prepared: Prepared
    asset: AssetSpec
    entries: tuple[_Entry, ...]
    failed: dict[str, str]
    """Why a take or a master could not be made, by its digest."""
    notify: Callable[[str], None] = lambda text: None
    """Receives a line when work begins, and one for each take that is made."""

    @property
    def facts(self) -> ManifestFacts:
        """Where the asset is written."""
        project = self.prepared.project
        git = git_commit(Path(project.file).resolve().parent)
        return manifest_facts(project, self.asset.source, git)


def prepare_audition(request: AuditionRequest, notify: Callable[[str], None] = lambda text: None) -> Audition:
    """Read the manifest and plan every take. ``notify`` receives lines about the progress.

    Raises `ManifestError` with everything that the engines cannot make, `UsageError` for an unknown asset.
    """
    project = load(request.manifest, request.profile, engine_keys)
    asset = _find(project, request.asset)
    store = Store.open(request.outputs)
    renames = dict.fromkeys(asset.was, asset.id)
    reviews = Reviews(store).state(renames)
    known = Known(store, {}, reviews.rejected)
    specs = [
        (choice, number, _spec(asset, choice, number))
        for choice in request.choices
        for number in range(request.count)
    ]
    planned = plan(replace(project, assets=tuple(spec for _, _, spec in specs)), known)
    flow = _is_flow(project, asset)
    entries = tuple(
        _entry(asset, request.count, number, plan_, flow)
        for (_, number, _), plan_ in zip(specs, planned.assets, strict=True)
    )
    project = replace(project, assets=tuple(plan_.asset for plan_ in planned.assets))
    build = BuildRequest(request.manifest, request.outputs, request.profile)
    prepared = Prepared(
        build, project, store, Catalog(store), None, known, planned, reviews, project.assets, renames
    )
    return Audition(prepared, asset, entries, {}, notify)


def _find(project: Project, id_: str) -> AssetSpec:
    found = next((asset for asset in project.assets if asset.id == id_), None)
    if found is None:
        close = nearest(id_, [asset.id for asset in project.assets])
        remedy = f"did you mean {close}?" if close else "to list the ids: cuesmith plan --all"
        raise UsageError(f"--asset {id_!r} is not in {project.file}; {remedy}")
    return found


def _spec(asset: AssetSpec, choice: Choice, number: int) -> AssetSpec:
    """The asset with one variation by one engine; take ``number`` has a seed of its own."""
    return replace(
        asset,
        engine=choice.engine,
        model=choice.model,
        model_folder="",
        seed=(asset.seed + number) % _SEEDS,
        variations=1,
        candidates=1,
        credentials="none",
        lock=False,
    )


def _entry(asset: AssetSpec, count: int, number: int, planned: AssetPlan, flow: bool) -> _Entry:
    spec, take = planned.asset, planned.variations[0].recipes[0].digest
    group = group_digest([(take,)])
    model = planned.requirements.model.id
    name = spec.engine if model == spec.engine else f"{spec.engine} · {model}"
    label = name + (f" · take {number + 1}" if count > 1 else "")
    keys = {
        "engine": spec.engine,
        "model": spec.model,
        "seed": spec.seed if number else None,
        "candidates": 1 if asset.candidates > 1 else None,
    }
    written = [f"{key}: {value}" for key, value in keys.items() if value is not None]
    line = (", " if flow else "\n").join(written)
    return _Entry(planned, label, line, master_digest(planned.mastering, 1, (take,), group), group)


def _is_flow(project: Project, asset: AssetSpec) -> bool:
    """Whether the asset is written within braces, so that its keys have commas between."""
    path = Path(beside(project.file, asset.source.file))
    line = path.read_text(encoding="utf-8-sig").splitlines()[asset.source.line - 1]
    return line.strip().lstrip("- ").startswith("{")


def run_audition(audition: Audition, devices: Sequence[str] | None) -> dict[str, Any]:
    """Make what the store does not have, and write the page. Returns the object of ``audition --json``.

    A take that cannot be made fails alone. Raises `MachineError` first if the machine lacks something.
    """
    prepared, run = audition.prepared, new_run_id()
    require(prepared, devices)
    with prepared.store.shared():
        _generate(audition, run, devices)
        _master(audition, run)
        return _result(audition)


def _generate(audition: Audition, run: str, devices: Sequence[str] | None) -> None:
    """Make the takes, one model after the other, each on its engine's first device."""
    takes = work_items.store_inputs(audition.prepared.plan.orders(), audition.prepared.store)
    if takes:
        audition.notify(f"takes to generate: {len(takes)}")
    for group, orders in by_group(takes).items():
        device = devices_for(find_engine(group[0]), devices)[0]
        works = take_works(group, orders, device)
        _work(audition, device, works, work_items.TakeSession(device, run, None, group[0]))


def _master(audition: Audition, run: str) -> None:
    facts, known = audition.facts, audition.prepared.known
    orders = {
        entry.master: work_items.AssetOrder(
            entry.plan.asset,
            (work_items.VariationOrder(1, (entry.take,), entry.master, made=False),),
            (),
            entry.group,
            facts,
        )
        for entry in audition.entries
        if entry.take not in audition.failed and not known.master_is_whole(entry.master)
    }
    works = [master_work(master, order) for master, order in orders.items()]
    if works:
        audition.notify(f"takes to master: {len(works)}")
    _work(audition, "cpu", works, work_items.MasterSession("cpu", run, None))


def _work(audition: Audition, device: str, works: Sequence[Work[Any]], session: work_items.Session) -> None:
    """Do ``works`` in one worker process. What no worker can do fails; the rest of the audition goes on."""

    def give_up(work: Work[Any], reason: str) -> None:
        audition.failed[work.key] = reason

    dispatcher: Dispatcher[Any] = Dispatcher(give_up)
    seat = Seat(device, device, "audition", (device,))
    dispatcher.join(seat.name, lambda group: True)
    dispatcher.add(works)
    workers = Workers(
        dispatcher,
        lambda seat: Worker(audition.prepared.store.root, seat.device),
        lambda group, device: session,
        lambda event: _note(audition, event),
        lambda item: None,
    )
    try:
        workers.serve(seat)
    except (SessionBroken, MachineError) as error:
        # What the machine lacks is the reason of each work that failed for it.
        if error.exit_code != MachineError.exit_code:
            raise
    finally:
        workers.stop()


def _note(audition: Audition, event: work_items.Event) -> None:
    if isinstance(event, work_items.Failed):
        audition.failed[event.item] = event.reason
    elif isinstance(event, work_items.TakeMade):
        label = next(entry.label for entry in audition.entries if entry.take == event.item)
        audition.notify(f"  {label}: {event.seconds:.1f} s of audio in {event.took:.1f} s")


def _result(audition: Audition) -> dict[str, Any]:
    project, store = audition.prepared.project, audition.prepared.store
    takes, failed, rows = [], [], []
    for entry in audition.entries:
        record = master_record(store, entry.master)
        fact = {
            "label": entry.label,
            "engine": entry.plan.asset.engine,
            "model": entry.plan.requirements.model.id,
            "seed": entry.plan.asset.seed,
            "take": entry.take,
            "master": entry.master,
            "line": entry.line,
        }
        if record is None:
            reason = audition.failed.get(entry.take) or audition.failed.get(entry.master) or "it was not made"
            failed.append((entry.label, reason))
            rows.append({**fact, "failed": reason})
            continue
        row = master_row(record, entry.plan.asset, entry.plan.mastering)
        license = model_license(row["engine"], entry.plan.requirements.model)
        refused = license.refusal(project.license)
        takes.append(AuditionedTake(entry.label, entry.line, refused, row, record))
        rows.append({**fact, "failed": None, "loudness_lufs": row["loudness_lufs"], "refused": refused})
    source = audition.asset.source
    place = f"{beside(project.file, source.file)}:{source.line}"
    page = write_audition(store, AuditionPage(project.name, place, audition.asset, takes, failed))
    path = store.backend.local_path(page)
    return {
        "asset": audition.asset.id,
        "place": place,
        "page": str(path) if path else f"{store.root}/{page}",
        "takes": rows,
    }
