"""The plan as values: what is already made, and for every variation what is to be done and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from pipeline.generators import Requirements
from pipeline.manifest.spec import AssetSpec
from pipeline.provenance import MASTER_SCHEMA, TAKE_SCHEMA, MasterRecord, MasterRow, TakeRecord
from pipeline.recipe import Recipe
from pipeline.store import ObjectRef, Store

APPROVED = "approved in review"
LOCKED = "locked in review"
LOCKED_IN_MANIFEST = "lock: true in the manifest"
WILL_WAIT = "approved in review: the new take will wait"
WAITS = "approved in review: the new take waits beside it"
TAKES_ITS_PLACE = "approved in review: the waiting take takes its place"
EARLIER_TAKES_ITS_PLACE = "approved in review: an earlier take takes its place"
MADE_BEFORE = "made before: its master is in the store"


@dataclass(frozen=True)
class Known:
    """State that a plan compares the manifest with. Read once, so that a plan is one consistent view."""

    store: Store
    rows: Mapping[tuple[str, int], MasterRow]
    """By asset id and variation."""
    rejected: Set[str] = frozenset()
    """Recipe digests of rejected takes."""
    held: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """Variations that reviewers froze: asset id and variation to the reason in words."""
    chosen: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """The master that was approved last, by asset id and variation."""

    @cached_property
    def assets(self) -> Set[str]:
        """Ids of all assets that the last version has."""
        return {asset for asset, _ in self.rows}

    @cached_property
    def variations(self) -> Mapping[str, Sequence[int]]:
        """Numbers of the variations that the last version has of each asset, by its id."""
        found: dict[str, list[int]] = {}
        for asset, variation in sorted(self.rows):
            found.setdefault(asset, []).append(variation)
        return found

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
        if digest not in self.takes:
            return None
        return self.store.get_record("takes", digest, TAKE_SCHEMA, TakeRecord)  # type: ignore[return-value]

    def master(self, digest: str) -> MasterRecord | None:
        """The record of one master."""
        if digest not in self.masters:
            return None
        return self.store.get_record("masters", digest, MASTER_SCHEMA, MasterRecord)  # type: ignore[return-value]

    def master_is_whole(self, digest: str) -> bool:
        """Whether a master's record and all its files are in the store."""
        record = self.master(digest)
        return record is not None and all(
            rendition["object"]["sha256"] in self.objects for rendition in record["renditions"]
        )

    def quarantined(self, digest: str) -> str | None:
        """Why a master that was made failed its quality gates; None for one that passed, or is not made."""
        record = self.master(digest)
        if record is None or not record["quality"].get("quarantined"):
            return None
        return str(record["quality"]["reason"])

    def fresh(self) -> Known:
        """The same, with the store read anew."""
        return replace(self)


Action = Literal["generate", "re-master", "reuse", "locked"]


@dataclass(frozen=True, slots=True)
class TakeOrder:
    """One take to generate: its recipe, and what the record needs besides."""

    recipe: Recipe
    ask: Requirements
    audio: tuple[tuple[str, str], ...]
    """Conditioning audio: (SHA-256, path on this machine)."""
    cost: float
    kept: str | None = None
    """Digest of a take that keeps what this one can be made from, without its model."""
    inputs: tuple[ObjectRef, ...] = ()
    """Objects of the conditioning audio, in the order of `audio`; a build fills it in before it generates."""


@dataclass(frozen=True, slots=True)
class VariationPlan:
    """One variation: what is to be done, why, and what it will be."""

    variation: int
    """From 1."""
    action: Action
    reasons: tuple[str, ...]
    recipes: tuple[Recipe, ...]
    """One for each candidate."""
    missing: tuple[TakeOrder, ...]
    """Takes that the store does not have."""
    master: str
    """Digest that the master will have when every take of the asset can be made. Beside an approved master that is
    not what the manifest asks for, it is the one that waits."""
    previous: MasterRow | None
    quarantined: str | None = None
    """Why its master, which is made, failed the quality gates and will not be published."""


@dataclass(frozen=True, slots=True)
class AssetPlan:
    """One asset with all its variations, which share one gain."""

    asset: AssetSpec
    ask: Requirements
    mastering: str
    """Digest of the mastering and delivery specs."""
    variations: tuple[VariationPlan, ...]
    anchors: tuple[str, ...]
    """Masters that stay and are what the manifest asks for; new ones take their gain."""
    gain_group: str | None
    """Identity of the anchors' gain; None without anchors: the new masters find their own."""

    @property
    def stale(self) -> bool:
        """Whether anything of the asset is to be made."""
        return any(v.action in ("generate", "re-master") for v in self.variations)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a build will do."""

    assets: tuple[AssetPlan, ...]

    @property
    def stale(self) -> tuple[AssetPlan, ...]:
        """The assets of which anything is to be made."""
        return tuple(asset for asset in self.assets if asset.stale)

    def orders(self) -> Iterator[TakeOrder]:
        """Every take to generate, each recipe once."""
        seen: set[str] = set()
        for asset in self.assets:
            for variation in asset.variations:
                for order in variation.missing:
                    if order.recipe.digest not in seen:
                        seen.add(order.recipe.digest)
                        yield order

    def to_json(self) -> dict[str, Any]:
        """The object that ``cuesmith plan --json`` prints."""
        rows = [
            {
                "asset": asset.asset.id,
                "variation": variation.variation,
                "action": variation.action,
                "reasons": list(variation.reasons),
                "engine": asset.asset.engine,
                "model": asset.ask.model.id,
                "seconds": round(sum(order.recipe.seconds for order in variation.missing), 6),
            }
            for asset in self.assets
            for variation in asset.variations
        ]
        return {"assets": rows, "totals": self.totals()}

    def totals(self) -> dict[str, Any]:
        """Counts by action, and audio-seconds to generate by engine and model."""
        actions = {"generate": 0, "re-master": 0, "reuse": 0, "locked": 0}
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
