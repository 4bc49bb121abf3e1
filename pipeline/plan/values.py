"""The plan as values: what exists already, and for every variation what a build does and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from pipeline.generators import Requirements
from pipeline.manifest.spec import AssetSpec
from pipeline.provenance import MasterRecord, MasterRow, TakeRecord, master_record, take_record
from pipeline.recipe import Recipe
from pipeline.store import ObjectRef, Store


class Action(StrEnum):
    """What a build does for a variation."""

    GENERATE = "generate"
    REMASTER = "re-master"
    REUSE = "reuse"
    LOCKED = "locked"

    @property
    def makes(self) -> bool:
        """Whether the build makes a take or a master."""
        return self in (Action.GENERATE, Action.REMASTER)


class Stage(StrEnum):
    """The step of a build at which a variation failed."""

    GENERATE = "generate"
    MASTER = "master"
    QUALITY = "quality"
    """The master exists and failed its quality gates."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a build makes, keeps or changes a variation."""

    words: str
    is_difference: bool = True
    """Whether it says how masters differ, not how a master is made or what happens to it."""

    def __str__(self) -> str:
        return self.words


APPROVED = Reason("approved in review")
LOCKED = Reason("locked in review")
LOCKED_IN_MANIFEST = Reason("lock: true in the manifest")
WILL_WAIT = Reason("approved in review: the new take will wait", is_difference=False)
WAITS = Reason("approved in review: the new take waits beside it", is_difference=False)
WAITING_APPROVED = Reason("approved in review: the waiting take takes its place", is_difference=False)
EARLIER_APPROVED = Reason("approved in review: an earlier take takes its place", is_difference=False)
IN_STORE = Reason("made before: its master is in the store", is_difference=False)
FROM_STORED_TAKE = Reason("from the stored data of its take, without the model", is_difference=False)


def changed(*words: str) -> tuple[Reason, ...]:
    """Reasons that say what changed, without repetition."""
    return tuple(Reason(each) for each in dict.fromkeys(words))


def recorded_lock(words: str) -> Reason | None:
    """The lock that a stored row names as its first reason; None where it names another."""
    first = words.partition("; ")[0]
    return next((lock for lock in (LOCKED, LOCKED_IN_MANIFEST) if lock.words == first), None)


@dataclass(frozen=True)
class Known:
    """The state that a plan compares the manifest with. It is read once, so that a plan is one consistent view."""

    store: Store
    rows: Mapping[tuple[str, int], MasterRow]
    """By asset id and variation."""
    rejected: Set[str] = frozenset()
    """Recipe digests of rejected takes."""
    held: Mapping[tuple[str, int], Reason] = field(default_factory=dict)
    """`APPROVED` or `LOCKED` by asset id and variation, for variations that reviewers froze."""
    chosen: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """The master that was approved last, by asset id and variation."""
    rerolled: Set[str] = frozenset()
    """Those of ``rejected`` that nobody judged: another take is wanted."""

    @cached_property
    def variations(self) -> Mapping[str, Sequence[int]]:
        """Numbers of each asset's variations in the last version, by its id."""
        numbers: dict[str, list[int]] = {}
        for asset, variation in sorted(self.rows):
            numbers.setdefault(asset, []).append(variation)
        return numbers

    @cached_property
    def revisions(self) -> Mapping[tuple[str, str], str]:
        """By engine and model, the revision of most masters in the last version."""
        counts = Counter((row["engine"], row["model"], row["revision"]) for row in self.rows.values())
        ascending = sorted(counts.items(), key=lambda item: (item[1], item[0]))
        return {(engine, model): revision for (engine, model, revision), _ in ascending}

    def revision(self, asset: str, engine: str, model: str) -> str | None:
        """The revision of ``model`` that an asset's masters have, else most masters; None for a new model.

        A master that waits for review counts instead of the approved one.
        """
        for variation in self.variations.get(asset, ()):
            row = self.rows[asset, variation]
            row = row.get("waiting") or row
            if (row["engine"], row["model"]) == (engine, model):
                return row["revision"]
        return self.revisions.get((engine, model))

    @cached_property
    def objects(self) -> Set[str]:
        """SHA-256 of every object in the store."""
        return self.store.objects()

    @cached_property
    def takes(self) -> Set[str]:
        """Recipe digests of every take record."""
        return self.store.records("takes")

    @cached_property
    def masters(self) -> Set[str]:
        """Digests of every master record."""
        return self.store.records("masters")

    def take(self, digest: str) -> TakeRecord | None:
        """The record of one take."""
        return take_record(self.store, digest) if digest in self.takes else None

    def master(self, digest: str) -> MasterRecord | None:
        """The record of one master."""
        return master_record(self.store, digest) if digest in self.masters else None

    def master_is_whole(self, digest: str) -> bool:
        """Whether a master's record and all its files are in the store."""
        record = self.master(digest)
        return record is not None and all(
            rendition["object"]["sha256"] in self.objects for rendition in record["renditions"]
        )

    def quarantined(self, digest: str) -> str | None:
        """Why a stored master failed its quality gates; None for one that passed or is not stored."""
        record = self.master(digest)
        if record is None or not record["quality"].get("quarantined"):
            return None
        return str(record["quality"]["reason"])

    def fresh(self) -> Known:
        """The same, with the store read again."""
        return replace(self)


@dataclass(frozen=True, slots=True)
class TakeOrder:
    """One take to generate: its recipe, and what else its record needs."""

    recipe: Recipe
    requirements: Requirements
    audio: tuple[tuple[str, str], ...]
    """Conditioning audio: (SHA-256, path on this machine)."""
    cost: float
    stored_take: str | None = None
    """Digest of a take whose stored data gives this one without the model."""
    inputs: tuple[ObjectRef, ...] = ()
    """Objects of the conditioning audio, in the order of `audio`; a build fills it in before it generates."""
    priority: int = 0
    """Its asset's; takes with a higher priority are generated first."""


@dataclass(frozen=True, slots=True)
class VariationPlan:
    """What a build does for one variation, and why."""

    variation: int
    """From 1."""
    action: Action
    reasons: tuple[Reason, ...]
    recipes: tuple[Recipe, ...]
    """One for each candidate."""
    missing: tuple[TakeOrder, ...]
    """Takes that the store does not have."""
    master: str
    """Digest that the master will have when every take of the asset can be made. Beside an approved master that
    differs from the manifest, it is the master that waits."""
    previous: MasterRow | None
    quarantined: str | None = None
    """Why its stored master failed the quality gates and will not be published."""


@dataclass(frozen=True, slots=True)
class AssetPlan:
    """One asset with all its variations, which share one gain."""

    asset: AssetSpec
    requirements: Requirements
    mastering: str
    """Digest of the mastering and delivery specs."""
    variations: tuple[VariationPlan, ...]
    anchors: tuple[str, ...]
    """Masters that stay and match the manifest; new ones take their gain."""
    gain_group: str | None
    """Identity of the anchors' gain; None without anchors: the new masters get a gain of their own."""

    @property
    def stale(self) -> bool:
        """Whether a build makes anything for the asset."""
        return any(variation.action.makes for variation in self.variations)


@dataclass(frozen=True, slots=True)
class NewerModel:
    """A published model with a newer revision than the one that the catalog has and a build stays with."""

    engine: str
    model: str
    kept: str
    newest: str

    def __str__(self) -> str:
        return (
            f"{self.model} has a newer revision ({self.newest[:12]}); the build stays with {self.kept[:12]}, which "
            "the catalog has; to use the newer one: --refresh-models"
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a build will do."""

    assets: tuple[AssetPlan, ...]
    newer_models: tuple[NewerModel, ...] = ()
    """Newer revisions that are not used because nobody asked for them."""

    @property
    def stale(self) -> tuple[AssetPlan, ...]:
        """The assets for which a build makes anything."""
        return tuple(asset for asset in self.assets if asset.stale)

    def by_place(self) -> dict[tuple[str, int], tuple[AssetPlan, VariationPlan]]:
        """Every variation and its asset, by asset id and variation."""
        return {
            (asset.asset.id, variation.variation): (asset, variation)
            for asset in self.assets
            for variation in asset.variations
        }

    def orders(self) -> Iterator[TakeOrder]:
        """Every take to generate, each recipe once."""
        seen: set[str] = set()
        for asset in self.assets:
            for variation in asset.variations:
                for order in variation.missing:
                    if order.recipe.digest not in seen:
                        seen.add(order.recipe.digest)
                        yield order

    def totals(self) -> dict[str, Any]:
        """Counts by action, and audio-seconds to generate by engine and model."""
        actions = dict.fromkeys(Action, 0)
        for asset in self.assets:
            for variation in asset.variations:
                actions[variation.action] += 1
        generate: dict[tuple[str, str], dict[str, Any]] = {}
        for order in self.orders():
            key = (order.recipe.engine, order.recipe.model)
            total = generate.setdefault(
                key, {"engine": key[0], "model": key[1], "takes": 0, "audio_seconds": 0.0}
            )
            total["takes"] += 1
            total["audio_seconds"] = round(total["audio_seconds"] + order.recipe.seconds, 6)
        return {
            "assets": len(self.assets),
            "variations": sum(actions.values()),
            "actions": actions,
            "generate": [generate[key] for key in sorted(generate)],
        }
