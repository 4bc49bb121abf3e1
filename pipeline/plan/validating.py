"""A manifest under all its profiles at once: what is wrong with it, and under which of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.errors import ManifestError, Problem
from pipeline.manifest import Project, load, profile_names
from pipeline.plan.decide import check


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
