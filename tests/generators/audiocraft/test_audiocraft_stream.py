"""Takes that join a running session: the same bits as alone, whatever the order and whoever else is in the slots."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from pipeline.audio import Clip
from pipeline.errors import GenerationError
from pipeline.generators import GeneratedTake, Streaming
from pipeline.generators.audiocraft.engine import AudioCraftEngine
from pipeline.generators.audiocraft.generator import AudioCraftGenerator
from pipeline.generators.protocol import ListedRecipes
from pipeline.recipe import Recipe

Make = Callable[..., Recipe]


class Trickle(ListedRecipes):
    """Gives one recipe, then none until another has ended: slots are refilled one by one."""

    def __init__(self, recipes: Sequence[Recipe], at_first: int) -> None:
        super().__init__(recipes)
        self.credit = at_first
        self.slots = 0
        self.begun: list[str] = []
        self.ended: list[str] = []

    def next(self) -> Recipe | None:
        if self.credit == 0 and len(self.ended) < len(self.begun):
            return None
        self.credit = max(0, self.credit - 1)
        return super().next()

    def begin(self, recipe: Recipe) -> None:
        self.begun.append(recipe.digest)

    def end(self, recipe: Recipe) -> None:
        self.ended.append(recipe.digest)
        self.credit += 1

    def use_slots(self, count: int) -> None:
        self.slots = count


def mixed(recipe: Make, kind: str) -> list[Recipe]:
    """Short ones first, one beyond the window, and sampling that differs."""
    made = [
        recipe(kind, f"sound {seed}", 0.1 + 0.09 * (seed % 6), seed, top_k=(20, 0, 7)[seed % 3])
        for seed in range(9)
    ]
    long = recipe(kind, "long", 2.6, 20, stride_s=1.2)
    return [*made[:5], long, recipe(kind, "free", 0.3, 21, top_k=0, top_p=0.8), *made[5:]]


@pytest.mark.parametrize(
    ("kind", "at_first"),
    [
        ("music", 1),
        ("music", 4),
        ("music", 100),
        ("magnet", 4),
        *[pytest.param("magnet", number, marks=pytest.mark.slow) for number in (1, 100)],
    ],
)
def test_takes_that_join_later_have_the_bits_of_takes_alone(
    kind: str, at_first: int, recipe: Make, generator: AudioCraftGenerator
) -> None:
    asked = (
        [recipe(kind, seconds=0.3, seed=seed) for seed in range(4)]
        if kind == "magnet"
        else mixed(recipe, kind)
    )
    assert isinstance(generator, Streaming)
    source = Trickle(asked, at_first)
    streamed = {one.digest: take for one, take in generator.stream(source, {})}
    assert sorted(streamed) == sorted(one.digest for one in asked)
    assert source.slots == 8
    assert set(source.begun) == set(streamed)
    if kind != "magnet":
        assert sorted(source.ended) == sorted(streamed)
    for one in asked:
        [(_, alone)] = generator.generate([one], {})
        take = streamed[one.digest]
        assert isinstance(alone, GeneratedTake)
        assert isinstance(take, GeneratedTake)
        assert take.attachments == alone.attachments
        np.testing.assert_array_equal(take.clip.samples, alone.clip.samples)


def test_a_recipe_that_cannot_be_prepared_fails_alone(recipe: Make, generator: AudioCraftGenerator) -> None:
    lost = recipe("music-melody", seconds=0.3, conditioning={"melody": "short"})
    asked = [recipe("music-melody", seconds=0.3, seed=2), lost, recipe("music-melody", seconds=0.2, seed=3)]
    audio = {"short": Clip(np.zeros((1, 8), np.float32), 32_000)}
    outcomes = {one.digest: outcome for one, outcome in generator.stream(ListedRecipes(asked), audio)}
    assert isinstance(outcomes[lost.digest], GenerationError)
    assert sum(isinstance(outcome, GeneratedTake) for outcome in outcomes.values()) == 2


def test_an_engine_of_another_name_that_builds_on_this_one_opens_it() -> None:
    class Studio(AudioCraftEngine):
        name = "studio"

    opened = Studio().open("cpu")
    assert isinstance(opened, AudioCraftGenerator)
    opened.close()
