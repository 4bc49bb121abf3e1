"""Loads a manifest: its files, its settings for one profile, its assets; or all that is wrong with it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.errors import MachineError, ManifestError
from pipeline.licenses import LicenseDeclaration
from pipeline.manifest.expansion import Expansion
from pipeline.manifest.files import AudioFiles, ReadFile, Source, Sources, check_profile
from pipeline.manifest.keys import EXPORT_SETTINGS
from pipeline.manifest.language import Language, language
from pipeline.manifest.lazy_imports import Check, no_check
from pipeline.manifest.names import check_project
from pipeline.manifest.policy import LEVELS, Policy, Rule, merged, normalized
from pipeline.manifest.problems import (
    Fault,
    Location,
    MappingNode,
    Node,
    Problems,
    Report,
    ScalarNode,
    SequenceNode,
    dotted,
    locate,
    quote,
)
from pipeline.manifest.settings import Values, export_fault, export_warning, merge_layers
from pipeline.manifest.spec import AssetSpec, ExportProfile, ExportSettings, ManifestText, Project
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
_CHANNEL = re.compile(r"[a-z][a-z0-9-]{0,39}")


Loaded = tuple[Project, tuple[ReadFile, ...]]
"""A project and every file that it was read from."""


def load_with_files(
    path: Path, profile: str | None, engine_keys: EngineKeysSource, check: Check = no_check
) -> Loaded:
    """The project that the manifest at ``path`` describes, with the settings of ``profile``.

    ``check`` finds what else is wrong; it gets the assets of which everything that an engine sees could be read. Raises
    `ManifestError` with every problem of the manifest and of what it includes, in file order.
    """
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
        sources.sha256,
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
    for name in rules:
        if name == "latest":
            fault = Fault("channel latest has no gate", "name another channel, such as playtest")
        elif not _CHANNEL.fullmatch(name):
            what = f"{quote(name)} is not a valid name of a channel"
            fault = Fault(what, "use lower-case letters, digits and '-', such as playtest")
        else:
            continue
        main.report.at(main.root, ("promotion", name), fault)
    return tuple(sorted((name, tuple(sorted(set(keys["allow"])))) for name, keys in rules.items()))


def _declaration(sources: Sources) -> LicenseDeclaration | None:
    """What the strongest file that has a ``license`` declares."""
    written = (source.shared.values for source in reversed(sources.read_sources))
    declared = next((values["license"] for values in written if "license" in values), None)
    if not declared:
        return None
    revenue = declared.get("revenue_below_usd")
    return LicenseDeclaration(declared.get("commercial", True), None if revenue is None else int(revenue))


def _exports(main: Source) -> dict[str, ExportProfile]:
    """The export profiles by name. Reports settings that exclude each other."""
    profiles = {}
    for name, keys in main.shared.values.get("exports", {}).items():
        if not _CHANNEL.fullmatch(name):
            what = f"{quote(name)} is not a valid name of a profile"
            fault = Fault(what, "use lower-case letters, digits and '-', such as mobile")
            main.report.at(main.root, ("exports", name), fault)
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
    shared = [source.shared for source in sources.read_sources]
    layers: list[tuple[Values, str]] = [
        (source.shared.values.get("defaults", {}), source.folder) for source in sources.read_sources
    ]
    if profile is not None:
        chosen = (
            (source.shared.values.get("profiles", {}).get(profile), source.folder)
            for source in sources.read_sources
        )
        layers += [(layer, folder) for layer, folder in chosen if layer is not None]
    profile_engines = frozenset(
        kind
        for layer, _ in layers[len(sources.read_sources) :]
        for kind in KIND.known
        if layer.get(kind, {}).get("engine") or layer.get("engine")
    )
    expansion = Expansion(
        project=main.shared.values["project"],
        seed=next((source.values["seed"] for source in reversed(shared) if "seed" in source.values), 0),
        base={kind: merge_layers(sources.language, kind, layers) for kind in KIND.known},
        unsure=_unsure(sources, profile),
        audio=AudioFiles(sources.folder),
        language=sources.language,
        profile_engines=profile_engines,
        policy=policy,
    )
    problems = sources.problems
    for entry, is_parsed in _entries(sources, main, file):
        before = problems.count - expansion.forbidden
        made = list(expansion.expand(entry))
        is_sure = is_parsed and problems.count - expansion.forbidden == before and expansion.is_sure(entry)
        yield from ((asset, is_sure) for asset in made)
    expansion.finish()


def _unsure(sources: Sources, profile: str | None) -> frozenset[str]:
    """Settings with a problem, reported already, in what ``profile`` and the defaults say of them."""
    every = frozenset({"engine", *(key.name for key in sources.language.settings)})
    if sources.incomplete or any(_broken_shared(source) for source in sources.read_sources):
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


def _broken_shared(source: Source) -> bool:
    """Whether YAML could not be read outside the assets."""
    lines = [node.line for _, node in _listed(source)]
    return any(line < min(lines, default=line + 1) for line in source.unparsed)


def _entries(sources: Sources, main: Source, file: str) -> Iterator[tuple[Entry, bool]]:
    """The entries of the manifest and of the files of assets that it lists, in their order.

    Each comes with whether all of its YAML could be read.
    """
    for place, node in _listed(main):
        if isinstance(node, ScalarNode) and _YAML.search(node.text):
            source = sources.read_assets(node.text, place, main)
            if source is not None:
                name = source.path.relative_to(sources.folder).as_posix()
                for inner_place, inner in _listed(source):
                    yield from _entry(sources.language, source, name, inner_place, inner)
        else:
            yield from _entry(sources.language, main, file, place, node)


def _listed(source: Source) -> Iterable[tuple[int, Node]]:
    listed = source.root.items.get("assets")
    return enumerate(listed.items if isinstance(listed, SequenceNode) else ())


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
    yield Entry(file, source.path.parent, place, node, checked, source.report), _is_parsed(source, node)


def _is_parsed(source: Source, node: Node) -> bool:
    """Whether all YAML from ``node``, one of the assets, to the next one could be read."""
    if not source.unparsed:
        return True
    end = min((other.line for _, other in _listed(source) if other.line > node.line), default=math.inf)
    return not any(node.line <= line < end for line in source.unparsed)
