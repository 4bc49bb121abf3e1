"""Loads a manifest: its files, its settings for one profile, its assets; or all that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from pipeline.errors import ManifestError
from pipeline.manifest.checking import check
from pipeline.manifest.entries import Entry
from pipeline.manifest.expansion import Expansion
from pipeline.manifest.faults import Fault, quote
from pipeline.manifest.files import AudioFiles
from pipeline.manifest.ids import check_project
from pipeline.manifest.language import Asset, Layer, Manifest, Settings
from pipeline.manifest.nodes import Mapping, Sequence
from pipeline.manifest.problems import Problems
from pipeline.manifest.settings import BUILT_IN, lay_all
from pipeline.manifest.sources import ReadFile, Source, Sources, check_profile
from pipeline.manifest.spec import AssetSpec, ManifestText, Project

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
    project = Project(main.shared.value.project, str(path), profile, sources.sha256, tuple(assets), promotion)
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
    layers: list[Layer] = [known.value.defaults for known in shared]
    if profile is not None:
        layers += [known.value.profiles[profile] for known in shared if profile in known.value.profiles]
    unsure = frozenset(Settings.model_fields) if sources.incomplete else frozenset[str]()
    expansion = Expansion(
        file=file,
        project=main.shared.value.project if isinstance(main.shared.value, Manifest) else "",
        seed=next((known.value.seed for known in reversed(shared) if known.value.seed is not None), 0),
        base={kind: lay_all(kind, layers) for kind in BUILT_IN},
        unsure=unsure.union(*(known.bad for known in shared)),
        audio=AudioFiles(sources.folder),
    )
    listed = main.root.items.get("assets")
    for place, node in enumerate(listed.items if isinstance(listed, Sequence) else ()):
        if not isinstance(node, Mapping):
            fault = Fault("is not a mapping", "write key: value lines, such as id: sfx/door/wood")
            main.report.at(main.root, ("assets", place), fault)
            continue
        checked = check(Asset, node, main.report, base=("assets", place), stand_in=_STAND_IN)
        if checked is not None:
            yield from expansion.expand(Entry(place, node, checked, main.report))
    expansion.finish()
