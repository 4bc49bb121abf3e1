"""Sharing out: takes into shards of one engine and model, longest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.plan.values import TakeOrder


@dataclass(frozen=True, slots=True)
class Shard:
    """Takes for one engine and model, to be made in one go on one device."""

    engine: str
    model: str
    orders: tuple[TakeOrder, ...]

    @property
    def cost(self) -> float:
        """Sum of the orders' costs."""
        return sum(order.cost for order in self.orders)


def share_out(orders: Iterable[TakeOrder], devices: int, shards_per_device: int = 4) -> tuple[Shard, ...]:
    """Shards for ``devices`` workers, the longest first, each of one engine and model.

    A model's takes are dealt longest first into its lightest shard, so that shards end close together; models
    get shards in proportion to their cost. Every order is in exactly one shard.
    """
    by_model: dict[tuple[str, str], list[TakeOrder]] = {}
    for order in orders:
        by_model.setdefault((order.recipe.engine, order.recipe.model), []).append(order)
    whole = sum(order.cost for group in by_model.values() for order in group) or 1.0
    shards: list[Shard] = []
    for (engine, model), group in sorted(by_model.items()):
        share = sum(order.cost for order in group) / whole
        wanted = max(1, min(len(group), round(share * devices * shards_per_device)))
        shards.extend(Shard(engine, model, dealt) for dealt in _deal(group, wanted) if dealt)
    return tuple(sorted(shards, key=lambda shard: -shard.cost))


def _deal(orders: list[TakeOrder], piles: int) -> list[tuple[TakeOrder, ...]]:
    dealt: list[list[TakeOrder]] = [[] for _ in range(piles)]
    weight = [0.0] * piles
    for order in sorted(orders, key=lambda order: (-order.cost, order.recipe.digest)):
        lightest = weight.index(min(weight))
        dealt[lightest].append(order)
        weight[lightest] += order.cost
    return [tuple(pile) for pile in dealt]
