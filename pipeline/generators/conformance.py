"""Checks for authors of engines: whether an engine keeps the contract of `pipeline.generators.protocol`.

In a file of tests, two lines run every check with pytest::

    class TestChime(conformance.EngineTests):
        engine = "chime"

Without pytest: ``for check in CHECKS.values(): check(Subject("chime"))``. A check raises `ConformanceError`, which says
what the engine did and what the contract asks for.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import math
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pipeline.audio import Clip, read
from pipeline.errors import CuesmithError, GenerationError, MachineError
from pipeline.generators import (
    Batching,
    Engine,
    Estimator,
    GeneratedTake,
    Generator,
    Outcome,
    Preflight,
    Requirements,
    Streaming,
    engine_keys,
    find_engine,
)
from pipeline.generators.protocol import ListedRecipes
from pipeline.licenses import LicenseTerms
from pipeline.manifest.loader import load
from pipeline.manifest.spec import AssetSpec
from pipeline.plan.digests import recipes_for
from pipeline.recipe import Recipe

Result = TypeVar("Result")

MANIFEST = """\
cuesmith: 1
project: conformance
defaults: {{engine: {engine}}}
assets:
  - {{id: music/calm, kind: music, prompt: calm harp in the morning, duration: 1.3s}}
  - {{id: sfx/door, kind: sfx, prompt: a heavy wooden door closes, duration: 0.7s, variations: 2}}
  - {{id: sfx/rain, kind: sfx, prompt: light rain on leaves, duration: 1.1s}}
"""
"""The manifest of a `Subject` that names none."""
HEAVY = (
    "numpy",
    "scipy",
    "torch",
    "transformers",
    "diffusers",
    "tensorflow",
    "jax",
    "onnxruntime",
    "prefect",
)
"""Packages that must not be imported before `Engine.open`: they would slow down every plan."""
_SILENT_PEAK = 1e-5
_LONGEST_SEED = 2**53 - 1


class ConformanceError(AssertionError):
    """The engine does not keep the contract."""


@dataclass(frozen=True)
class Subject:
    """An engine under test, and what it is asked to make."""

    engine: str
    """Its name, as in its entry point."""
    manifest: Path | None = None
    """A manifest with assets for this engine. Without one, `MANIFEST`, as far as the engine can make it."""
    device: str = "cpu"
    limit_s: float = 300.0
    """No call may take longer than this."""

    @cached_property
    def found(self) -> Engine:
        """The engine itself."""
        return find_engine(self.engine)

    @cached_property
    def assets(self) -> tuple[tuple[AssetSpec, Requirements], ...]:
        """Every asset of the manifest that the engine can make, with its requirements."""
        with self.written() as path:
            assets = [asset for asset in load(path, None, engine_keys).assets if asset.engine == self.engine]
        stated = [(asset, self.found.requirements(asset)) for asset in assets]
        usable = tuple((asset, requirements) for asset, requirements in stated if not requirements.problems)
        if not usable:
            why = "; ".join(problem.what for _, requirements in stated for problem in requirements.problems)
            raise ConformanceError(
                f"the engine makes no asset of the manifest ({why}); give a manifest of yours"
            )
        return usable

    @cached_property
    def recipes(self) -> tuple[Recipe, ...]:
        """The recipe of every take."""
        return tuple(
            recipe
            for asset, requirements in self.assets
            for recipes in recipes_for(asset, requirements, self.found.version, frozenset())
            for recipe in recipes
        )

    @cached_property
    def audio(self) -> Mapping[str, Clip]:
        """The conditioning clips by SHA-256."""
        inputs = (audio for asset, _ in self.assets for audio in asset.audio)
        return {audio.sha256: read(Path(audio.path).read_bytes()) for audio in inputs}

    @contextlib.contextmanager
    def written(self) -> Iterator[Path]:
        """The manifest as a file."""
        if self.manifest is not None:
            yield self.manifest
            return
        with tempfile.TemporaryDirectory(prefix="cuesmith-conformance-") as folder:
            path = Path(folder) / "cues.yaml"
            path.write_text(MANIFEST.format(engine=self.engine), encoding="utf-8")
            yield path

    @contextlib.contextmanager
    def opened(self) -> Iterator[Generator]:
        """The engine, opened on the device."""
        generator = self.within(lambda: self.found.open(self.device), "opening")
        try:
            yield generator
        finally:
            self.within(generator.close, "closing")

    def outcomes(self, generator: Generator, recipes: Sequence[Recipe]) -> list[Outcome]:
        """Every outcome of one call, in the engine's order."""
        return self.within(lambda: list(generator.generate(recipes, self.audio)), "generating")

    def takes(self, generator: Generator, recipes: Sequence[Recipe]) -> dict[str, GeneratedTake]:
        """The take of each recipe by the recipe's digest."""
        outcomes = self.outcomes(generator, recipes)
        asked, given = sorted(one.digest for one in recipes), sorted(one.digest for one, _ in outcomes)
        _require(
            asked == given,
            f"{len(asked)} recipes gave {len(given)} outcomes of {len(set(given) & set(asked))} of the recipes; "
            "yield exactly one outcome for each recipe of the call",
        )
        return {recipe.digest: self.take(recipe, outcome) for recipe, outcome in outcomes}

    def within(self, call: Callable[[], Result], doing: str) -> Result:
        """The result of ``call``, made in a thread. Raises `ConformanceError` if it takes too long."""
        future: Future[Result] = Future()

        def work() -> None:
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        wait([future], self.limit_s)
        _require(future.done(), f"{doing} did not end within {self.limit_s:g} s")
        return future.result()

    @staticmethod
    def take(recipe: Recipe, outcome: GeneratedTake | GenerationError) -> GeneratedTake:
        """The take of an outcome. Raises `ConformanceError` for a recipe that failed."""
        if isinstance(outcome, GenerationError):
            raise ConformanceError(f"{recipe.prompt!r} failed: {outcome}")
        return outcome


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ConformanceError(what)


def take_digest(take: GeneratedTake) -> str:
    """SHA-256 over everything that is stored of a take: samples, rate, loop, attachments."""
    samples = np.ascontiguousarray(take.clip.samples)
    facts = [take.clip.rate, list(samples.shape), str(samples.dtype), list(take.loop) if take.loop else None]
    hashed = hashlib.sha256(json.dumps(facts).encode() + samples.tobytes())
    for name, data in sorted(take.attachments.items()):
        hashed.update(name.encode() + data)
    return hashed.hexdigest()


def _made(subject: Subject, generator: Generator, recipes: Sequence[Recipe] | None = None) -> dict[str, str]:
    """The digest of each take of ``recipes``, or of all, by its recipe's digest."""
    takes = subject.takes(generator, subject.recipes if recipes is None else recipes)
    return {recipe: take_digest(take) for recipe, take in takes.items()}


@cache
def _in_a_process(subject: Subject, code: str) -> Any:
    """What ``code`` prints as JSON in a new process, where ``engine``, ``manifest`` and ``device`` are known.

    Checks of one subject share the answer: a process that imports torch takes long.
    """
    with subject.written() as manifest:
        words = [subject.engine, str(manifest), subject.device]
        head = "import json, sys\nengine, manifest, device = sys.argv[1:]\n"
        try:
            done = subprocess.run(
                [sys.executable, "-c", head + code, *words],
                capture_output=True,
                text=True,
                timeout=subject.limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ConformanceError(
                f"a process with the engine did not end within {subject.limit_s:g} s; yield an outcome for every "
                "recipe, and let close() end every thread and process"
            ) from None
    _require(done.returncode == 0, f"a process with the engine failed: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


_TAKES = """
from pathlib import Path
from pipeline.generators.conformance import Subject, take_digest
subject = Subject(engine, Path(manifest), device)
generator = subject.found.open(device)
list(generator.generate([], {}))
outcomes = list(generator.generate(subject.recipes, subject.audio))
generator.close()
print(json.dumps({recipe.digest: take_digest(take) for recipe, take in outcomes}), flush=True)
"""
_LIGHT = """
from pathlib import Path
from pipeline.generators import Estimator, Preflight, engine_keys, find_engine
from pipeline.manifest.loader import load
from pipeline.plan.digests import recipes_for
found = find_engine(engine)
for asset in load(Path(manifest), None, engine_keys).assets:
    requirements = found.requirements(asset)
    recipes = [one for row in recipes_for(asset, requirements, found.version, frozenset()) for one in row]
    [found.cost(recipe) for recipe in recipes]
    if isinstance(found, Preflight):
        list(found.missing(recipes))
    if isinstance(found, Estimator):
        found.estimate(recipes, device)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def check_requirements(subject: Subject) -> None:
    """An engine answers from tables: the same answer every time, and only values that a recipe can have."""
    found = subject.found
    _require(found.name == subject.engine, f"its name is {found.name!r}, its entry point {subject.engine!r}")
    _require(bool(found.version.strip()), "its version is empty")
    for asset, requirements in subject.assets:
        _require(
            found.requirements(asset) == requirements, f"two answers about {asset.id} differ; use tables only"
        )
        try:
            json.dumps([dict(requirements.settings), dict(requirements.conditioning)], allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConformanceError(f"settings of {asset.id} are no JSON values: {error}") from error
        _require(requirements.seconds > 0, f"{asset.id} has {requirements.seconds:g} seconds to generate")
    kinds = {device.partition(":")[0] for device in found.devices()}
    _require(bool(kinds), "devices() names no device of this machine")
    _require(
        kinds <= set(found.device_kinds),
        f"devices() names {sorted(kinds)}, device_kinds {found.device_kinds}",
    )


def check_determinism(subject: Subject) -> None:
    """A recipe gives the same bytes again: in the same process, in an engine opened later, and in another process."""
    random.seed(1)
    np.random.seed(1)
    with subject.opened() as generator:
        first = _made(subject, generator)
        random.seed(2)
        np.random.seed(2)
        again = _made(subject, generator)
    _require(first == again, "the same recipes gave other takes in a second call; use only the recipe's seed")
    with subject.opened() as generator:
        _require(first == _made(subject, generator), "another open() gave other takes")
    other = _in_a_process(subject, _TAKES)
    _require(
        first == other, "another process gave other takes; hash() and the order of sets differ by process"
    )


def check_seeds(subject: Subject) -> None:
    """Another seed gives another take, and every seed from 0 to 2^53 - 1 works."""
    seeds = (0, 1, _LONGEST_SEED)
    with subject.opened() as generator:
        for recipe in {one.prompt: one for one in subject.recipes}.values():
            seeded = [replace(recipe, seed=seed) for seed in seeds]
            made = _made(subject, generator, seeded)
            _require(
                len(set(made.values())) == len(seeds), f"seeds {seeds} of {recipe.prompt!r} sound the same"
            )


def check_company(subject: Subject) -> None:
    """A take is the same alone, beside other recipes of the call, and in a stream."""
    with subject.opened() as generator:
        alone: dict[str, str] = {}
        for recipe in subject.recipes:
            alone |= _made(subject, generator, [recipe])
        together = _made(subject, generator)
        if isinstance(generator, Streaming):
            stream = generator.stream
            outcomes = subject.within(
                lambda: list(stream(ListedRecipes(subject.recipes), subject.audio)), "streaming"
            )
            streamed = {recipe.digest: take_digest(subject.take(recipe, one)) for recipe, one in outcomes}
            _require(alone == streamed, "takes of a stream are others than those of generate()")
        if isinstance(generator, Batching):
            _require(generator.batch_size >= 1, f"batch_size is {generator.batch_size}; give 1 or more")
    _require(
        alone == together, "a take depends on the other recipes of its call; give each row its own generator"
    )


def check_order(subject: Subject) -> None:
    """A take does not depend on its place among the recipes."""
    turned = [*subject.recipes[1:], subject.recipes[0]]
    with subject.opened() as generator:
        orders = [
            _made(subject, generator, recipes) for recipes in (subject.recipes, subject.recipes[::-1], turned)
        ]
    _require(orders[0] == orders[1] == orders[2], "a take depends on its place in the call")


def check_lengths(subject: Subject) -> None:
    """A take has the recipe's length to the sample, the model's rate and channels, and usable samples."""
    models = {
        (requirements.model.id, asset.prompt): requirements.model for asset, requirements in subject.assets
    }
    with subject.opened() as generator:
        takes = subject.takes(generator, subject.recipes)
    for recipe in subject.recipes:
        take, model = takes[recipe.digest], models[recipe.model, recipe.prompt]
        clip, name = take.clip, repr(recipe.prompt)
        _require(
            clip.rate == model.sample_rate_hz, f"{name} has {clip.rate} Hz, {model.id} {model.sample_rate_hz}"
        )
        _require(
            clip.channels == model.channels,
            f"{name} has {clip.channels} channels, {model.id} {model.channels}",
        )
        wanted = round(recipe.seconds * clip.rate)
        _require(abs(clip.length - wanted) <= 1, f"{name} has {clip.length} samples, {wanted} are asked for")
        _require(clip.samples.dtype == np.float32, f"{name} has samples of type {clip.samples.dtype}")
        _require(bool(np.isfinite(clip.samples).all()), f"{name} has samples that are not numbers")
        _require(float(np.abs(clip.samples).max()) >= _SILENT_PEAK, f"{name} is silent")
        if take.loop is not None:
            start, end = take.loop
            _require(
                0 <= start < end <= clip.length, f"the loop of {name} is outside the take: {start} to {end}"
            )
        json.dumps(dict(take.notes), allow_nan=False)


def check_cancellation(subject: Subject) -> None:
    """A caller may stop after any outcome; the next call works as if nothing had been."""
    with subject.opened() as generator:
        whole = _made(subject, generator)

        def stop_after_one() -> Outcome:
            outcomes = iter(generator.generate(subject.recipes, subject.audio))
            first = next(outcomes)
            if (close := getattr(outcomes, "close", None)) is not None:
                close()
            return first

        recipe, outcome = subject.within(stop_after_one, "stopping after one outcome")
        _require(not isinstance(outcome, GenerationError), f"the first recipe failed: {outcome}")
        try:
            after = _made(subject, generator)
        except (CuesmithError, RuntimeError) as error:
            raise ConformanceError(f"after a call that was stopped, the next one failed: {error}") from error
    _require(after == whole, f"after a call that was stopped at {recipe.prompt!r}, takes are others")


def check_hangs(subject: Subject) -> None:
    """A process with the engine makes its takes and ends."""
    made = _in_a_process(subject, _TAKES)
    _require(len(made) == len(subject.recipes), f"{len(subject.recipes)} recipes gave {len(made)} takes")


def check_errors(subject: Subject) -> None:
    """What an engine cannot do is an error of its class, and fails no other recipe."""
    try:
        subject.within(lambda: subject.found.open("no-such-device:9").close(), "opening an unknown device")
    except MachineError:
        pass
    except Exception as error:
        raise ConformanceError(
            f"open() raised {type(error).__name__} for an unknown device; raise MachineError"
        ) from error
    else:
        raise ConformanceError("open() took an unknown device; raise MachineError")
    for asset, _ in subject.assets:
        _check_odd_asset(subject.found, asset)
    good = subject.recipes[0]
    bad = replace(good, model="no-such/model", revision="0" * 40, settings={}, conditioning={})
    with subject.opened() as generator:
        alone = _made(subject, generator, [good])
        try:
            outcomes = {recipe.digest: one for recipe, one in subject.outcomes(generator, [bad, good])}
        except MachineError:
            return
        except Exception as error:
            raise ConformanceError(
                f"a recipe of an unknown model raised {type(error).__name__}: {error}; yield a GenerationError"
            ) from error
    outcome = outcomes.get(good.digest)
    _require(isinstance(outcome, GeneratedTake), "a recipe that cannot be made failed the one after it")
    assert isinstance(outcome, GeneratedTake)
    _require(
        {good.digest: take_digest(outcome)} == alone, "a recipe that cannot be made changed the one after it"
    )
    _require(
        bool(str(outcomes.get(bad.digest, "")).strip()),
        "the error of a recipe that cannot be made says nothing",
    )


def _check_odd_asset(engine: Engine, asset: AssetSpec) -> None:
    odd = {
        "an unknown model": replace(asset, model="no-such/model"),
        "an hour": replace(asset, duration_s=3600.0),
        "a prompt in another script": replace(asset, prompt="風の音 — ветер"),
    }
    for what, changed in odd.items():
        try:
            answer = engine.requirements(changed)
        except MachineError:
            continue
        except Exception as error:
            raise ConformanceError(
                f"requirements() raised {type(error).__name__} for {what}: {error}; state a RequirementProblem"
            ) from error
        for problem in answer.problems:
            texts = (problem.field, problem.what, problem.remedy)
            _require(all(text.strip() for text in texts), f"the problem with {what} lacks a text: {problem}")


def check_license(subject: Subject) -> None:
    """Every model has a licence, what is unknown is not commercial, and terms have a source and a date."""
    for _, requirements in subject.assets:
        model = requirements.model
        name = f"the license of {model.id}"
        _require(bool(model.license.strip()), f"{name} is empty; give its SPDX identifier, or write unknown")
        unknown = model.license.strip().casefold().startswith("unknown")
        _require(
            not (unknown and model.commercial), f"{name} is unknown and commercial; set commercial=False"
        )
        _require(bool(model.revision.strip()), f"{model.id} has no revision: nobody can make its takes again")
        if model.terms is not None:
            _check_terms(name, model.terms)
            _require(not unknown, f"{name} is unknown, and has terms")


def _check_terms(name: str, terms: LicenseTerms) -> None:
    addresses = [terms.source, *filter(None, [terms.registration])]
    for address in addresses:
        _require(address.startswith(("https://", "http://")), f"{name}: {address!r} is not an address")
    try:
        datetime.date.fromisoformat(terms.read)
    except ValueError:
        raise ConformanceError(
            f"{name} was read on {terms.read!r}; write a date such as 2026-11-28"
        ) from None
    limit = terms.revenue_below_usd
    _require(limit is None or limit > 0, f"{name} has a revenue limit of {limit}")


def check_light_import(subject: Subject) -> None:
    """Finding the engine and asking it imports nothing heavy."""
    imported = set(_in_a_process(subject, _LIGHT))
    heavy = sorted(imported.intersection(HEAVY))
    _require(not heavy, f"the engine imports {', '.join(heavy)} before open(); import it there")


def check_estimate(subject: Subject) -> None:
    """Costs and estimates are finite, positive and grow with the length."""
    found = subject.found
    for recipe in subject.recipes:
        short, long = found.cost(recipe), found.cost(replace(recipe, seconds=recipe.seconds * 10))
        _require(math.isfinite(short) and short > 0, f"cost() of {recipe.prompt!r} is {short}")
        _require(
            long > short, f"cost() of {recipe.prompt!r} does not grow with its length: {short} to {long}"
        )
    if isinstance(found, Estimator):
        for recipe in subject.recipes:
            one = found.estimate([recipe], subject.device)
            more = found.estimate([replace(recipe, seed=seed) for seed in range(20)], subject.device)
            times = (one.seconds, one.load_seconds, one.start_seconds)
            _require(all(math.isfinite(time) and time >= 0 for time in times), f"estimate() gives {one}")
            _require(one.seconds > 0, "estimate() says that generating takes no time")
            _require(more.seconds > one.seconds, "estimate() does not grow with the number of takes")
            _require(bool(one.basis.strip()), "estimate() does not say where its figures come from")
    if isinstance(found, Preflight):
        lacks = list(found.missing(subject.recipes))
        _require(all(isinstance(line, str) and line.strip() for line in lacks), f"missing() gives {lacks}")


CHECKS: Mapping[str, Callable[[Subject], None]] = {
    name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")
}
"""Every check by its name."""


class EngineTests:
    """The checks as tests of pytest: derive a class from it whose name starts with ``Test``, and set `engine`."""

    engine: str
    """The engine's name."""
    manifest: Path | None = None
    device: str = "cpu"
    limit_s: float = 300.0

    def run(self, check: str) -> None:
        """Raises `ConformanceError` if the engine fails ``check``, one of `CHECKS`."""
        CHECKS[check](Subject(self.engine, self.manifest, self.device, self.limit_s))


def _test(check: str) -> Callable[[EngineTests], None]:
    def test(tests: EngineTests) -> None:
        tests.run(check)

    test.__doc__ = CHECKS[check].__doc__
    return test


for _name in CHECKS:
    setattr(EngineTests, f"test_{_name}", _test(_name))
