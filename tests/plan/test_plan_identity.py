"""Digests and seeds: what enters them, and what never does."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.plan import group_digest, master_digest
from pipeline.recipe import Recipe, derive_seed, digest, reseeded

text = st.text(max_size=40)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
recipes = st.builds(
    Recipe,
    engine=text,
    engine_version=text,
    model=text,
    revision=text,
    kind=st.sampled_from(["music", "sfx"]),
    prompt=text,
    seconds=st.floats(0.01, 3600),
    seed=st.integers(0, 2**53 - 1),
    settings=st.dictionaries(text, scalars, max_size=4),
    conditioning=st.dictionaries(text, text, max_size=2),
)


@given(recipes)
def test_a_recipe_survives_json_with_its_digest(recipe: Recipe) -> None:
    again = Recipe.from_json(json.loads(json.dumps(recipe.to_json())))
    assert again == recipe
    assert again.digest == recipe.digest


@given(recipes, st.lists(st.integers(0, 2**53 - 1), max_size=5))
def test_recipes_that_share_all_but_the_seed_have_the_digests_of_recipes_written_alone(
    recipe: Recipe, seeds: list[int]
) -> None:
    made = tuple(map(reseeded(recipe), seeds))
    alone = tuple(replace(recipe, seed=seed) for seed in seeds)
    assert made == alone
    assert [one.digest for one in made] == [digest(one.to_json()) for one in alone]
    assert [pickle.loads(pickle.dumps(one)).digest for one in made] == [one.digest for one in alone]


@given(recipes, st.randoms())
def test_key_order_never_enters_a_digest(recipe: Recipe, chance: Any) -> None:
    items = list(recipe.to_json().items())
    chance.shuffle(items)
    assert digest(dict(items)) == recipe.digest


@given(recipes)
def test_every_field_enters_the_digest(recipe: Recipe) -> None:
    others = [
        replace(recipe, prompt=recipe.prompt + "x"),
        replace(recipe, model=recipe.model + "x"),
        replace(recipe, revision=recipe.revision + "x"),
        replace(recipe, engine_version=recipe.engine_version + "x"),
        replace(recipe, seconds=recipe.seconds + 1),
        replace(recipe, seed=(recipe.seed + 1) % 2**53),
        replace(recipe, settings={**recipe.settings, "one more": 1}),
        replace(recipe, conditioning={**recipe.conditioning, "melody": "0" * 64}),
    ]
    assert len({recipe.digest, *(other.digest for other in others)}) == len(others) + 1


def test_seeds_differ_by_asset_variation_reroll_and_candidate() -> None:
    places = [(asset, *rest) for asset in ("a", "b") for rest in ((1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1))]
    seeds = {derive_seed(7, *place) for place in places}
    assert len(seeds) == len(places)
    assert all(0 <= seed < 2**53 for seed in seeds)


def test_a_seed_is_the_same_for_ever() -> None:
    assert derive_seed(20417, "music/forest/explore", 1, 0, 0) == 6715752359098508


def test_a_group_is_the_same_in_any_order_and_another_with_other_takes() -> None:
    assert group_digest([["a", "b"], ["c"]]) == group_digest([["c"], ["a", "b"]])
    assert group_digest([["a"], ["c"]]) != group_digest([["a", "b"], ["c"]])


def test_a_master_differs_by_specs_variation_takes_and_group() -> None:
    digests = {
        master_digest("spec", 1, ["t"], "group"),
        master_digest("other", 1, ["t"], "group"),
        master_digest("spec", 2, ["t"], "group"),
        master_digest("spec", 1, ["u"], "group"),
        master_digest("spec", 1, ["t"], "other"),
    }
    assert len(digests) == 5
