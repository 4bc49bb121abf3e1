"""Loads a manifest: its files, its settings for one profile, its assets; or all that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.errors import MachineError, ManifestError, Problem
from pipeline.licenses import LicenseDeclaration
from pipeline.manifest.expansion import Expansion
from pipeline.manifest.files import AudioFiles, ReadFile, Source, Sources, check_profile
from pipeline.manifest.keys import EXPORT_SETTINGS
from pipeline.manifest.language import Language, language
from pipeline.manifest.names import check_project
from pipeline.manifest.policy import LEVELS, REMEDY, Policy, Rule, merged, normalized
from pipeline.manifest.problems import (
    Fault,
    Location,
    MappingNode,
    Node,
    Problems,
    Report,
    ScalarNode,
    dotted,
    locate,
    quote,
)
from pipeline.manifest.settings import Values, export_fault, export_warning, merge_layers
from pipeline.manifest.spec import AssetSpec, ExportProfile, ExportSettings, ManifestText, Project, sha256_of
from pipeline.manifest.structure import EngineKeysSource
from pipeline.manifest.validation import Entry, check
from pipeline.manifest.values import KIND

_TEXTS = frozenset({"id", "prompt", "tags", "for_each", "ucs", "naming", "overrides", "was"})
"""Keys of an asset with texts."""
_REMEDY = "put quotes around the whole text, or write the comment on a line of its own"


def warn_of_comments(asset: MappingNode, report: Report, base: Location) -> None:
    """Warn of every text of ``asset`` that a comment may have cut short.

    After a prompt that is every comment; after other texts, one like ``#2`` without a space after its ``#``.
    """
    for key in asset.items.keys() & _TEXTS:
        for location, scalar in _scalars(asset.items[key], (key,)):
            comment = scalar.comment
            if location[-1] == "prompt" or comment[1:2].strip():
                fault = Fault(f"{quote(comment)} is a comment, not part of {quote(scalar.text)}", _REMEDY)
                report.warn(scalar.line, dotted(base + location), fault)


def _scalars(node: Node, location: Location) -> Iterator[tuple[Location, ScalarNode]]:
    """Every value under ``node`` with a comment after it, with its place."""
    if isinstance(node, ScalarNode):
        if node.comment:
            yield location, node
    elif isinstance(node, MappingNode):
        for key, item in node.items.items():
            yield from _scalars(item, (*location, key))
    else:
        for place, item in enumerate(node.items):
            yield from _scalars(item, (*location, place))


_POLICY = "policy"
_YAML = re.compile(r"\.ya?ml$", re.IGNORECASE)
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


Check = Callable[[Project], Iterable[Problem]]
"""Finds problems of a project that the language does not know of."""


def load(
    path: Path, profile: str | None, engine_keys: EngineKeysSource, check: Check = lambda project: ()
) -> Project:
    """The project that the manifest at ``path`` describes, with the settings of ``profile``.

    ``engine_keys`` gives the keys that engines bring, by the engine's name. ``check`` finds what else is wrong; it gets
    the assets of which everything that an engine sees could be read. Raises `ManifestError` with every problem of the
    manifest and of what it includes, in file order.
    """
    return load_with_files(path, profile, engine_keys, check)[0]


def load_with_files(
    path: Path, profile: str | None, engine_keys: EngineKeysSource, check: Check = lambda project: ()
) -> tuple[Project, tuple[ReadFile, ...]]:
    """As `load`, with every file that the project was read from."""
    problems = Problems()
    sources, main = _read(path, problems, engine_keys)
    if main is None:
        problems.check()
        raise AssertionError("a manifest that cannot be read has a problem")
    name = main.shared.values["project"]
    try:
        check_project(name)
    except Fault as fault:
        main.report.at(main.root, ("project",), fault)
    if profile is not None:
        check_profile(sources, main, profile)
    promotion = _promotion(main)
    policy = _policy(sources)
    _exports(main)
    made = list(_assets(sources, main, profile, path.name, Policy.from_json(policy)))
    made.sort(key=lambda item: item[0].id)
    project = Project(
        name,
        str(path),
        profile,
        sha256_of(sources.texts),
        tuple(asset for asset, _ in made),
        warnings=problems.warnings,
        promotion=promotion,
        license=_declaration(sources),
        policy=policy,
    )
    try:
        for problem in check(replace(project, assets=tuple(asset for asset, is_sure in made if is_sure))):
            problems.in_file(problem.file)
            problems.add(problem)
    except MachineError:
        problems.check()
        raise
    problems.check()
    audio = {audio for asset in project.assets for audio in asset.audio}
    heard = (ReadFile(str(sources.folder / file.name), file.path, file.sha256) for file in audio)
    return project, (*sources.files, *heard)


def manifest_texts(path: Path, engine_keys: EngineKeysSource) -> tuple[ManifestText, ...]:
    """The manifest and every file that it includes, in the order in which a project's SHA-256 has them.

    Raises `ManifestError` if they can no longer be read.
    """
    problems = Problems()
    sources, _ = _read(path, problems, engine_keys)
    problems.check()
    return tuple(sources.texts)


def profile_names(path: Path, engine_keys: EngineKeysSource) -> tuple[str, ...]:
    """Every profile in the manifest and in what it includes, sorted, as far as they can be read."""
    try:
        sources, _ = _read(path, Problems(), engine_keys)
    except ManifestError:
        return ()
    return sources.profiles


def export_profiles(path: Path, engine_keys: EngineKeysSource) -> dict[str, ExportProfile]:
    """The export profiles of the manifest at ``path``, by name. Raises `ManifestError` if it cannot be read."""
    problems = Problems()
    _, main = _read(path, problems, engine_keys)
    profiles = _exports(main) if main else {}
    problems.check()
    return profiles


def _read(path: Path, problems: Problems, engine_keys: EngineKeysSource) -> tuple[Sources, Source | None]:
    """The files of the manifest, and the manifest itself; None if it cannot be read."""
    report = problems.in_file(str(path))
    try:
        folder = path.parent.resolve()
    except (OSError, RuntimeError):
        report.add(1, "", Fault("the path cannot be followed", "check it for links and length"))
        folder = path.parent
    sources = Sources(problems, language(engine_keys), folder)
    return sources, sources.read(folder / path.name, str(path))


def _promotion(main: Source) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The reasons that each channel allows. Reports names that are not valid for a channel."""
    rules = main.shared.values.get("promotion", {})
    _check_names(main, "promotion", "channel", "playtest")
    if "latest" in rules:
        fault = Fault("channel latest has no gate", "name another channel, such as playtest")
        main.report.at(main.root, ("promotion", "latest"), fault)
    return tuple(sorted((name, tuple(sorted(set(keys["allow"])))) for name, keys in rules.items()))


def _check_names(main: Source, key: str, noun: str, example: str) -> None:
    """Report the names below ``key`` that are not valid."""
    for name in main.shared.values.get(key, {}):
        if not _NAME.fullmatch(name):
            what = f"{quote(name)} is not a valid name of a {noun}"
            fault = Fault(what, f"use lower-case letters, digits and '-', such as {example}")
            main.report.at(main.root, (key, name), fault)


def _declaration(sources: Sources) -> LicenseDeclaration | None:
    """What the strongest file that has a ``license`` declares."""
    written = (source.shared.values for source in reversed(sources.read_sources))
    declared = next((values["license"] for values in written if "license" in values), None)
    return LicenseDeclaration.from_json(declared) if declared else None


def _exports(main: Source) -> dict[str, ExportProfile]:
    """The export profiles by name. Reports settings that exclude each other."""
    profiles = {}
    _check_names(main, "exports", "profile", "mobile")
    for name, keys in main.shared.values.get("exports", {}).items():
        by_kind = {}
        for kind in KIND.known:
            own = keys.get(kind, {})
            # The bit rate of one format says nothing of another.
            settings = {**keys, **({"bit_rate": None} if "format" in own else {}), **own}
            fields = {key.field or key.name: settings.get(key.name) for key in EXPORT_SETTINGS.keys}
            by_kind[kind] = ExportSettings(**fields)
            found = export_fault(by_kind[kind])
            if found is not None:
                main.report.at(main.root, ("exports", name), found)
                break
            if (unusable := export_warning(by_kind[kind])) is not None:
                location = ("exports", name, *((kind,) if "format" in own else ()), "format")
                main.report.warn(locate(main.root, location)[0], dotted(location), unusable)
        size = keys.get("size")
        profiles[name] = ExportProfile(name, by_kind, size and int(size))
    return profiles


def _policy(sources: Sources) -> dict[str, Any]:
    """The policy of all files. Reports rules that find nothing; warns of exceptions to rules that are not there."""
    written = [(source, source.shared.values.get("policy", {})) for source in sources.read_sources]
    for source, policy in written:
        for level in LEVELS:
            for place, item in enumerate(policy.get(level, ())):
                _check_rule(source, (_POLICY, level, place), item)
    policy = merged(policy for _, policy in written)
    known = {normalized(rule.text) for rule in Policy.from_json(policy).rules}
    for source, own in written:
        for place, item in enumerate(own.get("exceptions", ())):
            for word in item["words"]:
                if normalized(word) not in known:
                    location = (_POLICY, "exceptions", place, "words")
                    fault = Fault(f"no rule has {quote(word)}", "write it as the rule does, or remove it")
                    source.report.warn(locate(source.root, location)[0], dotted(location), fault)
    return policy


def _check_rule(source: Source, location: Location, item: Values) -> None:
    places = [(*location, key) for key in ("words", "patterns")]
    if all(locate(source.root, place)[1] != place for place in places):
        fault = Fault("has neither words nor patterns", "write words: and what prompts may not contain")
        source.report.at(source.root, location, fault)
    for key in ("words", "patterns"):
        for place, text in enumerate(item.get(key, ())):
            if not Rule("forbid", text, "", key == "patterns").words:
                fault = Fault(f"{quote(text)} has no letter or digit", "write words")
            elif key == "words" and "*" in normalized(text):
                fault = Fault(f"{quote(text)} has a *", "write it below patterns")
            else:
                continue
            source.report.at(source.root, (*location, key, place), fault)


def _assets(
    sources: Sources, main: Source, profile: str | None, file: str, policy: Policy
) -> Iterator[tuple[AssetSpec, bool]]:
    """Every asset, in the manifest's order, and whether engines can be asked about it. Problems are reported."""
    read = [(source.shared.values, source.folder) for source in sources.read_sources]
    defaults = [(values.get("defaults", {}), folder) for values, folder in read]
    chosen = [(values.get("profiles", {}).get(profile, {}), folder) for values, folder in read]
    profile_engines = frozenset(
        kind
        for layer, _ in chosen
        for kind in KIND.known
        if layer.get(kind, {}).get("engine") or layer.get("engine")
    )
    expansion = Expansion(
        project=main.shared.values["project"],
        seed=next((values["seed"] for values, _ in reversed(read) if "seed" in values), 0),
        base={kind: merge_layers(sources.language, kind, [*defaults, *chosen]) for kind in KIND.known},
        unsure=_unsure(sources, profile),
        audio=AudioFiles(sources.folder),
        language=sources.language,
        profile_engines=profile_engines,
    )
    problems = sources.problems
    for entry, is_parsed in _entries(sources, main, file):
        before = problems.count
        made = list(expansion.expand(entry))
        is_sure = is_parsed and problems.count == before and expansion.is_sure(entry)
        for asset, variant in made:
            _check_policy(asset, variant, policy)
            yield asset, is_sure
    expansion.finish()


def _check_policy(asset: AssetSpec, entry: Entry, policy: Policy) -> None:
    """Report what the policy forbids in the prompt, and warn of the rest, once for each entry and rule."""
    for finding in policy.findings(asset.id, asset.prompt):
        if finding.exception is None:
            fault, warns = Fault(finding.what, REMEDY), finding.rule.level == "warn"
            entry.report_once(("prompt",), fault, finding.rule, warns=warns)


def _unsure(sources: Sources, profile: str | None) -> frozenset[str]:
    """Settings with a problem, reported already, in what ``profile`` and the defaults say of them."""
    every = frozenset({"engine", *(key.name for key in sources.language.settings)})
    if sources.incomplete or any(0 in source.unsure_assets for source in sources.read_sources):
        return every
    unsure: set[str] = set()
    for source in sources.read_sources:
        for top, *inner in source.shared.faults:
            if top == "profiles" and (profile is None or (inner and inner.pop(0) != profile)):
                continue
            names = [str(step) for step in inner if step not in KIND.known]
            if top in ("defaults", "profiles") and not names:
                return every
            unsure.update(names if top in ("defaults", "profiles") else (str(top),))
    return frozenset(unsure)


def _entries(sources: Sources, main: Source, file: str) -> Iterator[tuple[Entry, bool]]:
    """The entries of the manifest and of the files of assets that it lists, in their order.

    Each comes with whether all of its YAML could be read.
    """
    for place, node in enumerate(main.assets):
        if isinstance(node, ScalarNode) and _YAML.search(node.text):
            source = sources.read_assets(node.text, place, main)
            if source is not None:
                name = source.path.relative_to(sources.folder).as_posix()
                for inner_place, inner in enumerate(source.assets):
                    yield from _entry(sources.language, source, name, inner_place, inner)
        else:
            yield from _entry(sources.language, main, file, place, node)


def _entry(
    language: Language, source: Source, file: str, place: int, node: Node
) -> Iterator[tuple[Entry, bool]]:
    """``node`` as an entry, if it is one. Problems are reported."""
    if not isinstance(node, MappingNode):
        remedy = "write key: value lines, such as id: sfx/door/wood"
        if isinstance(node, ScalarNode) and _YAML.search(node.text):
            remedy = "list every file of assets in the manifest itself"
        source.report.at(source.root, ("assets", place), Fault("is not a mapping", remedy))
        return
    warn_of_comments(node, source.report, ("assets", place))
    checked = check(language, language.asset, node, source.report, base=("assets", place))
    entry = Entry(file, source.path.parent, place, node, checked, source.report)
    yield entry, node.line not in source.unsure_assets
