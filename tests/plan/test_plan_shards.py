"""Shards: nothing lost, nothing twice, one model each, longest first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.generators import ModelInfo, Requirements
from pipeline.plan import TakeOrder, share_out
from pipeline.recipe import Recipe

MODEL = ModelInfo("m", "1", "MIT", True, 48000, 1, False, True)


def order(number: int, model: str, cost: float) -> TakeOrder:
    recipe = Recipe("toy", "1", model, "1", "sfx", f"prompt {number}", cost, number)
    return TakeOrder(recipe, Requirements(MODEL, cost), (), cost)


orders = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.floats(0.01, 60.0)), max_size=40).map(
    lambda items: [order(number, model, cost) for number, (model, cost) in enumerate(items)]
)


@given(orders, st.integers(1, 8))
def test_every_order_is_in_exactly_one_shard(orders: list[TakeOrder], devices: int) -> None:
    dealt = [one.recipe.digest for shard in share_out(orders, devices) for one in shard.orders]
    assert sorted(dealt) == sorted(one.recipe.digest for one in orders)


@given(orders, st.integers(1, 8))
def test_a_shard_has_one_model_and_the_longest_comes_first(orders: list[TakeOrder], devices: int) -> None:
    shards = share_out(orders, devices)
    assert all({one.recipe.model for one in shard.orders} == {shard.model} for shard in shards)
    assert [shard.cost for shard in shards] == sorted((shard.cost for shard in shards), reverse=True)


@given(st.lists(st.floats(0.1, 10.0), min_size=1, max_size=60), st.integers(1, 6))
def test_shards_of_one_model_differ_by_no_more_than_one_order(costs: list[float], devices: int) -> None:
    shards = share_out([order(number, "a", cost) for number, cost in enumerate(costs)], devices)
    assert max(shard.cost for shard in shards) - min(shard.cost for shard in shards) <= max(costs) + 1e-9


def test_sharing_out_does_not_depend_on_the_order_given() -> None:
    given_orders = [order(number, "ab"[number % 2], 1.0 + number % 5) for number in range(30)]
    assert share_out(given_orders, 3) == share_out(given_orders[::-1], 3)
