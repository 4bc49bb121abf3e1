"""Engines for the tests of the conformance kit: one that keeps the contract, and many that each break it in one way.

Child processes find them as they find any package's: this folder is on their path.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pipeline.errors import GenerationError, MachineError
from pipeline.generators import Estimate, GeneratedTake, LicenseTerms, ModelInfo, Outcome, Requirements
from pipeline.manifest.spec import AssetSpec
from pipeline.recipe import Recipe

if TYPE_CHECKING:
    from pipeline.audio import Clip

RATE = 8000
MODEL = ModelInfo("good", "1", "MIT", True, RATE, 1, False, False)


def _audio() -> Any:
    """The room of audio, which imports numpy."""
    return import_module("pipeline.audio")


class GoodGenerator:
    def generate(self, recipes: Sequence[Recipe], audio: Mapping[str, Clip]) -> Iterator[Outcome]:
        for recipe in recipes:
            yield recipe, self.one(recipe)

    def one(self, recipe: Recipe) -> GeneratedTake | GenerationError:
        if recipe.model != MODEL.id:
            return GenerationError("there is no such model; choose good")
        return self.take(recipe, int(recipe.digest[:12], 16))

    def take(self, recipe: Recipe, seed: int, samples: int = 0, channels: int = 1) -> GeneratedTake:
        np = import_module("numpy")
        shape = (channels, samples or round(recipe.seconds * RATE))
        noise = np.random.default_rng(seed % 2**63).standard_normal(shape)
        return GeneratedTake(_audio().Clip((noise * 0.1).astype("float32"), RATE))

    def software(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None:
        pass


class GoodEngine:
    version = "1"
    device_kinds: Sequence[str] = ("cpu",)
    model = MODEL
    generator = GoodGenerator

    def __init__(self, name: str) -> None:
        self.name = name

    def requirements(self, asset: AssetSpec) -> Requirements:
        return Requirements(self.model, asset.duration_s)

    def devices(self) -> Sequence[str]:
        return ("cpu",)

    def cost(self, recipe: Recipe) -> float:
        return recipe.seconds

    def open(self, device: str) -> GoodGenerator:
        if device != "cpu":
            raise MachineError(f"there is no device {device}; use cpu")
        return self.generator()


def _with_generator(one: Any = None, **methods: Any) -> dict[str, Any]:
    """The attributes of an engine whose generator has other methods."""
    named = {**methods, **({"one": one} if one else {})}
    return {"generator": type("Broken", (GoodGenerator,), named)}


def _each(make: Any) -> Any:
    """A ``generate`` that makes a take from the place, the number of recipes and the recipe."""

    def generate(self: Any, recipes: Sequence[Recipe], audio: Any) -> Iterator[Outcome]:
        for place, recipe in enumerate(recipes):
            yield recipe, make(self, place, len(recipes), recipe)

    return generate


_counter = itertools.count()


def _last_twice(self: Any, recipes: Sequence[Recipe], audio: Any) -> Iterator[Outcome]:
    for recipe in (*recipes, *recipes[-1:]):
        yield recipe, self.one(recipe)


def _without_the_last(self: Any, recipes: Sequence[Recipe], audio: Any) -> Iterator[Outcome]:
    for recipe in recipes[: max(1, len(recipes) - 1)]:
        yield recipe, self.one(recipe)


def _busy_after_a_stop(self: Any, recipes: Sequence[Recipe], audio: Any) -> Iterator[Outcome]:
    if vars(self).get("busy"):
        raise RuntimeError("a call is in progress")
    self.busy = True
    for recipe in recipes:
        yield recipe, self.one(recipe)
    self.busy = False


def _rest_of_a_stop(self: Any, recipes: Sequence[Recipe], audio: Any) -> Iterator[Outcome]:
    left = vars(self).setdefault("left", [])
    for recipe in recipes:
        left.append(recipe)
        yield recipe, self.take(recipe, int(recipe.digest[:12], 16) + len(left) % 2)
        left.pop()


def _raises_over_an_unknown_model(self: Any, recipes: Sequence[Recipe], audio: Any) -> Iterator[Outcome]:
    for recipe in recipes:
        if recipe.model != MODEL.id:
            raise KeyError(recipe.model)
        yield recipe, self.one(recipe)


def _fails_all_with_one(self: Any, recipes: Sequence[Recipe], audio: Any) -> Iterator[Outcome]:
    failed = any(recipe.model != MODEL.id for recipe in recipes)
    for recipe in recipes:
        yield recipe, GenerationError("the call failed; try again") if failed else self.one(recipe)


def _never_ends(self: Any, recipes: Sequence[Recipe], audio: Any) -> Iterator[Outcome]:
    yield from ((recipe, self.one(recipe)) for recipe in recipes[1:])
    while True:
        time.sleep(1)


def _thread_stays(self: Any) -> None:
    threading.Thread(target=time.sleep, args=(600,), daemon=False).start()


def _samples(change: Any) -> Any:
    """An ``one`` whose samples are changed."""

    def one(self: Any, recipe: Recipe) -> GeneratedTake:
        take = GoodGenerator.one(self, recipe)
        assert isinstance(take, GeneratedTake)
        return replace(take, clip=_audio().Clip(change(take.clip.samples), RATE))

    return one


def _model(**facts: Any) -> dict[str, Any]:
    return {"model": replace(MODEL, **facts)}


def _terms(**facts: Any) -> dict[str, Any]:
    good = {"source": "https://example.com", "read": "2026-11-28"}
    return _model(terms=LicenseTerms(**{**good, **facts}))


def _estimate(one_take: float, basis: str = "a table") -> dict[str, Any]:
    return {"estimate": lambda self, recipes, device: Estimate(one_take, 0.0, 0.0, basis)}


def _unsteady(self: Any, asset: AssetSpec) -> Requirements:
    return Requirements(MODEL, asset.duration_s, {"turn": next(_counter)})


def _raises(self: Any, asset: AssetSpec) -> Requirements:
    if asset.model:
        raise KeyError(asset.model)
    return Requirements(MODEL, asset.duration_s)


def _imports_numpy(self: Any, asset: AssetSpec) -> Requirements:
    import_module("numpy")
    return Requirements(MODEL, asset.duration_s)


WAYS: Mapping[str, Mapping[str, Any]] = {
    "requirements-other-name": {"name": property(lambda self: "else", lambda self, name: None)},
    "requirements-unsteady": {"requirements": _unsteady},
    "requirements-nan": {
        "requirements": lambda self, asset: Requirements(MODEL, asset.duration_s, {"a": math.nan})
    },
    "requirements-devices": {"devices": lambda self: ("cuda:0",)},
    "determinism-counter": _with_generator(lambda self, recipe: self.take(recipe, next(_counter))),
    "determinism-hash": _with_generator(lambda self, recipe: self.take(recipe, abs(hash(recipe.digest)))),
    "determinism-global": _with_generator(
        lambda self, recipe: self.take(recipe, int(import_module("numpy").random.randint(2**31)))
    ),
    "seeds-ignored": _with_generator(lambda self, recipe: self.take(recipe, len(recipe.prompt))),
    "seeds-folded": _with_generator(lambda self, recipe: self.take(recipe, recipe.seed & 0xFFFE)),
    "company-batch": _with_generator(
        generate=_each(lambda self, place, count, recipe: self.take(recipe, recipe.seed + count))
    ),
    "company-stream": _with_generator(
        stream=lambda self, source, audio: (
            (recipe, self.take(recipe, 1)) for recipe in iter(source.next, None)
        )
    ),
    "company-batch-size": _with_generator(batch_size=0),
    "order-place": _with_generator(
        generate=_each(lambda self, place, count, recipe: self.take(recipe, recipe.seed + place))
    ),
    "order-twice": _with_generator(generate=_last_twice),
    "order-missing": _with_generator(generate=_without_the_last),
    "lengths-short": _with_generator(_samples(lambda samples: samples[:, :-40])),
    "lengths-stereo": _with_generator(_samples(lambda samples: samples.repeat(2, axis=0))),
    "lengths-nan": _with_generator(_samples(lambda samples: samples * math.nan)),
    "lengths-silent": _with_generator(_samples(lambda samples: samples * 0)),
    "lengths-rate": _model(sample_rate_hz=RATE * 2),
    "lengths-loop": _with_generator(
        lambda self, recipe: replace(GoodGenerator.one(self, recipe), loop=_audio().Loop(0, 10**9))
    ),
    "cancellation-busy": _with_generator(generate=_busy_after_a_stop),
    "cancellation-rest": _with_generator(generate=_rest_of_a_stop),
    "hangs-generate": _with_generator(generate=_never_ends),
    "hangs-thread": _with_generator(close=_thread_stays),
    "errors-device": {"open": lambda self, device: GoodGenerator()},
    "errors-device-class": {"open": lambda self, device: {"cpu": GoodGenerator}[device]()},
    "errors-requirements": {"requirements": _raises},
    "errors-model": _with_generator(generate=_raises_over_an_unknown_model),
    "errors-all": _with_generator(generate=_fails_all_with_one),
    "license-empty": _model(license=" "),
    "license-unknown": _model(license="unknown"),
    "license-revision": _model(revision=""),
    "license-source": _terms(source="the web"),
    "license-date": _terms(read="last week"),
    "license-limit": _terms(revenue_below_usd=0),
    "light_import-numpy": {"requirements": _imports_numpy},
    "estimate-zero": {"cost": lambda self, recipe: 0.0},
    "estimate-nan": {"cost": lambda self, recipe: math.nan},
    "estimate-flat": {"cost": lambda self, recipe: 1.0},
    "estimate-takes": _estimate(5.0),
    "estimate-nothing": _estimate(0.0),
}
"""Attributes of each broken engine, by the check that it fails and how."""


def __getattr__(name: str) -> GoodEngine:
    """The engine of the entry point ``name``: ``good``, or a way with ``_`` in place of ``-``."""
    way = name.replace("__", "-")
    if name == "good":
        return GoodEngine("good")
    if way not in WAYS:
        raise AttributeError(name)
    return type("BrokenEngine", (GoodEngine,), dict(WAYS[way]))(way)  # type: ignore[no-any-return]
