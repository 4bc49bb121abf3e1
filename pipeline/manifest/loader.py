"""Loads a manifest: its files, its settings for one profile, its assets; or all that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from pipeline.errors import ManifestError
from pipeline.manifest.expansion import Expansion
from pipeline.manifest.files import AssetSource, AudioFiles, ReadFile, Source, Sources, check_profile
from pipeline.manifest.keys import Asset, Layer, Manifest, Settings
from pipeline.manifest.names import check_project
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
    quote,
)
from pipeline.manifest.settings import BUILT_IN, lay_all
from pipeline.manifest.spec import AssetSpec, ManifestText, Project
from pipeline.manifest.validation import Entry, check

_TEXTS = frozenset({"id", "prompt", "tags", "for_each", "ucs", "naming", "overrides", "was"})
"""Keys of an asset under which texts stand."""
_REMEDY = "put quotes around the whole text, or write the comment on a line of its own"


def warn_of_comments(asset: MappingNode, report: Report, base: Location) -> None:
    """Warn of every text of ``asset`` that a comment may have cut short.

    After a prompt every comment counts, after other texts one like ``#2``, which has no space after its ``#``.
    """
    for key in asset.items.keys() & _TEXTS:
        for location, scalar in _scalars(asset.items[key], (key,)):
            comment = scalar.comment
            if location[-1] == "prompt" or comment[1:2].strip():
                fault = Fault(f"{quote(comment)} is a comment and no part of {quote(scalar.text)}", _REMEDY)
                report.warn(scalar.line, dotted(base + location), fault)


def _scalars(node: Node, location: Location) -> Iterator[tuple[Location, ScalarNode]]:
    """Every value under ``node`` that a comment follows, with its place."""
    if isinstance(node, ScalarNode):
        if node.comment:
            yield location, node
    elif isinstance(node, MappingNode):
        for key, item in node.items.items():
            yield from _scalars(item, (*location, key))
    else:
        for place, item in enumerate(node.items):
            yield from _scalars(item, (*location, place))


_YAML = re.compile(r"\.ya?ml$", re.IGNORECASE)
_CHANNEL = re.compile(r"[a-z][a-z0-9-]{0,39}")
_STAND_IN = {"id": "unnamed", "kind": "sfx", "prompt": "none"}


@dataclass(frozen=True)
class Loaded:
    """A project and every file that it was read from."""

    project: Project
    files: tuple[ReadFile, ...]


def load_with_files(path: Path, profile: str | None = None) -> Loaded:
    """The project that the manifest at ``path`` describes, with the settings of ``profile``.

    Raises `ManifestError` with every problem of the manifest and of what it includes, in file order.
    """
    problems = Problems()
    sources, main = _read(path, problems)
    if main is None or not isinstance(main.shared.value, Manifest):
        problems.check()
        raise AssertionError("a manifest that cannot be read has a problem")
    _check_project(main, main.shared.value.project)
    if profile is not None:
        check_profile(sources, main, profile)
    promotion = _promotion(main)
    assets = list(_assets(sources, main, profile, path.name))
    problems.check()
    assets.sort(key=attrgetter("id"))
    project = Project(
        main.shared.value.project,
        str(path),
        profile,
        sources.sha256,
        tuple(assets),
        warnings=problems.warnings,
        promotion=promotion,
    )
    return Loaded(project, (*sources.files, *_audio_files(sources.folder, project)))


def manifest_texts(path: Path) -> tuple[ManifestText, ...]:
    """The manifest and every file that it includes, in the order in which a project's SHA-256 has them.

    Raises `ManifestError` where they can no longer be read.
    """
    problems = Problems()
    sources, _ = _read(path, problems)
    problems.check()
    return tuple(sources.texts)


def profile_names(path: Path) -> tuple[str, ...]:
    """Every profile in the manifest and in what it includes, sorted, as far as they can be read."""
    try:
        sources, _ = _read(path, Problems())
    except ManifestError:
        return ()
    return sources.profiles


def _read(path: Path, problems: Problems) -> tuple[Sources, Source | None]:
    """The files of the manifest, and the manifest itself among them; None where it cannot be read."""
    report = problems.in_file(str(path))
    try:
        folder = path.parent.resolve()
    except (OSError, RuntimeError):
        report.add(1, "", Fault("the path cannot be followed", "check it for links and length"))
        folder = path.parent
    sources = Sources(problems, folder)
    return sources, sources.read(folder / path.name, str(path))


def _audio_files(folder: Path, project: Project) -> Iterator[ReadFile]:
    found = {
        audio
        for asset in project.assets
        for audio in (asset.melody, asset.continue_from, asset.style)
        if audio
    }
    yield from (ReadFile(str(folder / audio.name), audio.path, audio.sha256) for audio in found)


def _check_project(main: Source, name: str) -> None:
    try:
        check_project(name)
    except Fault as fault:
        main.report.at(main.root, ("project",), fault)


def _promotion(main: Source) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What each channel allows. Reports names that no channel with a gate can have."""
    assert isinstance(main.shared.value, Manifest)
    rules = main.shared.value.promotion
    for name in rules:
        if name == "latest":
            fault = Fault("channel latest has no gate", "name another channel, such as playtest")
        elif not _CHANNEL.fullmatch(name):
            what = f"{quote(name)} cannot name a channel"
            fault = Fault(what, "use lower-case letters, digits and '-', such as playtest")
        else:
            continue
        main.report.at(main.root, ("promotion", name), fault)
    return tuple(sorted((name, tuple(sorted(set(keys.allow)))) for name, keys in rules.items()))


def _assets(sources: Sources, main: Source, profile: str | None, file: str) -> Iterator[AssetSpec]:
    """Every asset, in the manifest's order. Problems are reported on the way."""
    shared = [source.shared for source in sources.found]
    layers: list[tuple[Layer, str]] = [(one.shared.value.defaults, one.folder) for one in sources.found]
    if profile is not None:
        chosen = ((one.shared.value.profiles.get(profile), one.folder) for one in sources.found)
        layers += [(layer, folder) for layer, folder in chosen if layer is not None]
    unsure = frozenset(Settings.model_fields) if sources.incomplete else frozenset[str]()
    expansion = Expansion(
        project=main.shared.value.project if isinstance(main.shared.value, Manifest) else "",
        seed=next((known.value.seed for known in reversed(shared) if known.value.seed is not None), 0),
        base={kind: lay_all(kind, layers) for kind in BUILT_IN},
        unsure=unsure.union(*(known.bad for known in shared)),
        audio=AudioFiles(sources.folder),
    )
    for entry in _entries(sources, main, file):
        yield from expansion.expand(entry)
    expansion.finish()


def _entries(sources: Sources, main: Source, file: str) -> Iterator[Entry]:
    """The entries of the manifest and of the files of assets that it lists, in their order."""
    for place, node in _listed(main):
        if isinstance(node, ScalarNode) and _YAML.search(node.text):
            source = sources.read_assets(node.text, place, main)
            if source is not None:
                name = sources.name_of(source)
                for inner_place, inner in _listed(source):
                    yield from _entry(source, name, inner_place, inner)
        else:
            yield from _entry(main, file, place, node)


def _listed(source: AssetSource) -> Iterable[tuple[int, Node]]:
    listed = source.root.items.get("assets")
    return enumerate(listed.items if isinstance(listed, SequenceNode) else ())


def _entry(source: AssetSource, file: str, place: int, node: Node) -> Iterator[Entry]:
    """The entry that ``node`` is, unless it cannot be read as one; what is wrong with it is reported."""
    if not isinstance(node, MappingNode):
        remedy = "write key: value lines, such as id: sfx/door/wood"
        if isinstance(node, ScalarNode) and _YAML.search(node.text):
            remedy = "list every file of assets in the manifest itself"
        source.report.at(source.root, ("assets", place), Fault("is not a mapping", remedy))
        return
    warn_of_comments(node, source.report, ("assets", place))
    checked = check(Asset, node, source.report, base=("assets", place), stand_in=_STAND_IN)
    if checked is not None:
        yield Entry(file, source.path.parent, place, node, checked, source.report)
