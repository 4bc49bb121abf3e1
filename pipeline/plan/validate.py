"""A manifest under all its profiles at once: what is wrong with it, and under which of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.errors import MachineError, ManifestError, Problem, UsageError
from pipeline.generators import Engine, RequirementProblem, Requirements, engine_names, find_engine
from pipeline.manifest import Project, beside, load, nearest, profile_names
from pipeline.manifest.spec import AssetSpec


def check(project: Project) -> list[tuple[AssetSpec, Engine, Requirements]]:
    """Every asset with its engine and what it asks of it.

    Raises `ManifestError` with everything that engines cannot make as it is written, in file order. What is wrong
    with every asset of a for_each is told once.
    """
    engines = {name: _installed(name) for name in {asset.engine for asset in project.assets}}
    asked = []
    found: list[tuple[tuple[object, ...], Problem]] = []
    for asset in project.assets:
        engine = engines[asset.engine]
        if engine is None:
            found.append(((asset.engine,), _located(project, asset, _not_installed(asset.engine))))
            continue
        ask = _ask(project, asset, engine)
        problems = [ask] if isinstance(ask, RequirementProblem) else _problems(asset, ask)
        for problem in problems:
            place = (asset.source.file, asset.source.line, problem.field, problem.what)
            found.append((place, _located(project, asset, problem)))
        if isinstance(ask, Requirements):
            asked.append((asset, engine, ask))
    if found:
        once: dict[tuple[object, ...], Problem] = {}
        for same, told in sorted(
            found, key=lambda one: (one[1].file != project.file, one[1].file, one[1].line)
        ):
            once.setdefault(same, told)
        raise ManifestError(once.values())
    return asked


def _ask(project: Project, asset: AssetSpec, engine: Engine) -> Requirements | RequirementProblem:
    """What the engine asks, or the problem that it broke over the asset.

    Raises `MachineError`, with the asset's place, where this machine lacks what answering takes.
    """
    try:
        ask: object = engine.requirements(asset)
    except MachineError as error:
        place = f"{_file_of(project, asset)}:{asset.source.line}: {asset.id}"
        raise MachineError(f"{place}: engine {asset.engine!r}: {error}") from error
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    else:
        if isinstance(ask, Requirements):
            return ask
        why = f"it answered with {type(ask).__name__}"
    what = f"engine {asset.engine!r} cannot say what this asset takes: {' '.join(why.split())}"
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
    return RequirementProblem("engine", what, f"{choice} it is said in defaults or a profile")


def _problems(asset: AssetSpec, ask: Requirements) -> Iterator[RequirementProblem]:
    yield from ask.problems
    if asset.license == "commercial" and not ask.model.commercial:
        what = f"license is commercial, and the weights of {ask.model.id} are {ask.model.license}"
        yield RequirementProblem(
            "license", what, "choose a model whose licence allows it, or set license: any"
        )


def _file_of(project: Project, asset: AssetSpec) -> str:
    """The file in which an asset is written, as the person would write its path."""
    return beside(project.file, asset.source.file)


def _located(project: Project, asset: AssetSpec, problem: RequirementProblem) -> Problem:
    where = f"{asset.id}.{problem.field}"
    return Problem(_file_of(project, asset), asset.source.line, where, problem.what, problem.remedy)


def check_profiles(path: Path, profile: str | None = None) -> tuple[Project, ...]:
    """The project under ``profile``; without one, the project under none and then under each of its profiles.

    Raises `ManifestError` with everything that the loader or an engine refuses under any of them, in file order.
    """
    if profile is not None:
        return (_checked(path, profile),)
    projects: list[Project] = []
    found: dict[Problem, list[str | None]] = {}
    for name in (None, *profile_names(path)):
        try:
            projects.append(_checked(path, name))
        except ManifestError as error:
            for problem in error.problems:
                found.setdefault(problem, []).append(name)
    if found:
        raise ManifestError(_in_file_order(found))
    return tuple(projects)


def _checked(path: Path, profile: str | None) -> Project:
    project = load(path, profile)
    check(project)
    return project


def _in_file_order(found: Mapping[Problem, Sequence[str | None]]) -> list[Problem]:
    files = list(dict.fromkeys(problem.file for problem in found))
    told = [_under(problem, profiles) for problem, profiles in found.items()]
    return sorted(told, key=lambda problem: (files.index(problem.file), problem.line))


def _under(problem: Problem, profiles: Sequence[str | None]) -> Problem:
    """``problem`` with the profiles under which alone it is one."""
    names = [name for name in profiles if name is not None]
    if len(names) < len(profiles):
        return problem
    return replace(
        problem, what=f"under profile{'s' if len(names) > 1 else ''} {', '.join(names)}: {problem.what}"
    )
