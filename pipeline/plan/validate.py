"""Checks a manifest with its engines, under one profile or under all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.errors import MachineError, ManifestError, Problem, UsageError
from pipeline.generators import (
    Engine,
    RequirementProblem,
    Requirements,
    engine_keys,
    engine_names,
    find_engine,
)
from pipeline.licenses import LicenseDeclaration
from pipeline.manifest import Project, beside, lazy_imports, nearest
from pipeline.manifest.spec import AssetSpec
from pipeline.provenance import model_license
from pipeline.scores import find_score
from pipeline.watermarks import find_watermark


def check(project: Project) -> list[tuple[AssetSpec, Engine, Requirements]]:
    """Every asset with its engine and what its takes require of it.

    Raises `ManifestError` with everything in the manifest that engines cannot make, in file order.
    """
    checked, problems = _ask_engines(project)
    if problems:
        raise ManifestError(problems)
    return checked


def _ask_engines(
    project: Project,
) -> tuple[list[tuple[AssetSpec, Engine, Requirements]], list[Problem]]:
    """The result of `check`, and everything that engines cannot make, in file order.

    A problem that all assets of a for_each share is reported once.
    """
    engines = {name: _installed(name) for name in {asset.engine for asset in project.assets}}
    checked = []
    problems: list[tuple[tuple[object, ...], Problem]] = []
    for asset in project.assets:
        engine = engines[asset.engine]
        if engine is None:
            problems.append(((asset.engine,), _located(project, asset, _not_installed(asset.engine))))
            continue
        requirements = _requirements(project, asset, engine)
        if isinstance(requirements, Requirements):
            checked.append((asset, engine, requirements))
            of_asset = _problems(asset, requirements, project.license)
        else:
            of_asset = iter([requirements])
        for stated in of_asset:
            same = (asset.source.file, asset.source.line, stated.field, stated.what)
            problems.append((same, _located(project, asset, stated)))
    problems.sort(key=lambda item: (item[1].file != project.file, item[1].file, item[1].line))
    first: dict[tuple[object, ...], Problem] = {}
    for place, problem in problems:
        first.setdefault(place, problem)
    return checked, list(first.values())


def _requirements(project: Project, asset: AssetSpec, engine: Engine) -> Requirements | RequirementProblem:
    """The requirements that the engine states, or the problem that it failed on the asset.

    Raises `MachineError`, with the asset's place, where this machine lacks what the engine needs for its answer.
    """
    try:
        answer: object = engine.requirements(asset)
    except MachineError as error:
        place = f"{_file_of(project, asset)}:{asset.source.line}: {asset.id}"
        raise MachineError(f"{place}: engine {asset.engine!r}: {error}") from error
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    else:
        if isinstance(answer, Requirements):
            return answer
        why = f"it answered with {type(answer).__name__}"
    what = f"engine {asset.engine!r} cannot state what this asset requires: {' '.join(why.split())}"
    return RequirementProblem("engine", what, "report this to the engine's makers, or choose another engine")


def _installed(name: str) -> Engine | None:
    try:
        return find_engine(name)
    except UsageError:
        return None


def _not_installed(engine: str) -> RequirementProblem:
    names = engine_names()
    close = nearest(engine, names)
    choice = f"did you mean {close}?" if close else f"choose one of {', '.join(names)}:"
    what = f"engine {engine!r} is not installed"
    return RequirementProblem("engine", what, f"{choice} it is set in defaults or a profile")


def _problems(
    asset: AssetSpec, requirements: Requirements, declared: LicenseDeclaration | None
) -> Iterator[RequirementProblem]:
    yield from requirements.problems
    yield from _score_problems(asset)
    if asset.watermark:
        yield from _unknown("watermark", find_watermark, asset.watermark)
    if asset.license != "commercial":
        return
    model = requirements.model
    sold = replace(declared or LicenseDeclaration(True), commercial=True)
    if not model.commercial:
        what = f"license is commercial, and the weights of {model.id} are {model.license}"
    elif refused := model_license(asset.engine, model).refusal(sold):
        what = f"license is commercial, and of {model.id}, {refused}"
    else:
        return
    yield RequirementProblem("license", what, "choose a model whose licence allows it, or set license: any")


def _score_problems(asset: AssetSpec) -> Iterator[RequirementProblem]:
    for score in asset.scores:
        yield from _unknown("scores", find_score, score.name)
        if score.least is not None and score.most is not None and score.least > score.most:
            what = f"no take can have a {score.name} of {score.least:g} or more and of {score.most:g} or less"
            yield RequirementProblem("scores", what, "write a least that is not above most")
    if sum(score.choose for score in asset.scores) > 1:
        yield RequirementProblem("scores", "two scores choose the candidate", "write choose: true in one")


def _unknown(field: str, find: Callable[[str], object], name: str) -> Iterator[RequirementProblem]:
    """The problem that ``find`` finds nothing of this name; none if it does."""
    try:
        find(name)
    except UsageError as error:
        what, _, remedy = str(error).partition("; ")
        yield RequirementProblem(field, what, remedy)


def _file_of(project: Project, asset: AssetSpec) -> str:
    """The asset's file, as a path relative to where the manifest was given."""
    return beside(project.file, asset.source.file)


def _located(project: Project, asset: AssetSpec, problem: RequirementProblem) -> Problem:
    where = f"{asset.id}.{problem.field}"
    return Problem(_file_of(project, asset), asset.source.line, where, problem.what, problem.remedy)


def check_profiles(path: Path, profile: str | None = None) -> tuple[Project, ...]:
    """The project under ``profile``; without one, the project under no profile and then under each of its profiles.

    Raises `ManifestError` with everything that the loader or an engine refuses under any of them, in file order.
    """
    if profile is not None:
        return (check_manifest(path, profile),)
    projects: list[Project] = []
    problems: dict[Problem, list[str | None]] = {}
    for name in (None, *lazy_imports.loader.profile_names(path, engine_keys)):
        try:
            projects.append(check_manifest(path, name))
        except ManifestError as error:
            for problem in error.problems:
                problems.setdefault(problem, []).append(name)
    if problems:
        raise ManifestError(_in_file_order(problems))
    return tuple(projects)


def check_manifest(path: Path, profile: str | None) -> Project:
    """The project under one profile; as `check_profiles`."""
    return lazy_imports.loader.load(path, profile, engine_keys, lambda project: _ask_engines(project)[1])


def _in_file_order(problems: Mapping[Problem, Sequence[str | None]]) -> list[Problem]:
    files = list(dict.fromkeys(problem.file for problem in problems))
    named = [_with_profiles(problem, profiles) for problem, profiles in problems.items()]
    return sorted(named, key=lambda problem: (files.index(problem.file), problem.line))


def _with_profiles(problem: Problem, profiles: Sequence[str | None]) -> Problem:
    """``problem`` with the names of its profiles, unless it also exists without a profile."""
    names = [name for name in profiles if name is not None]
    if len(names) < len(profiles):
        return problem
    return replace(
        problem, what=f"under profile{'s' if len(names) > 1 else ''} {', '.join(names)}: {problem.what}"
    )
