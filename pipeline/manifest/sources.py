"""The files that make up one manifest: itself, and what it includes, from the weakest to the strongest."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.manifest.checking import Checked, check
from pipeline.manifest.files import find_inside
from pipeline.manifest.language import AssetFile, Manifest, Shared
from pipeline.manifest.problems import (
    Fault,
    MappingNode,
    Problems,
    Report,
    ScalarNode,
    SequenceNode,
    beside,
    list_names,
    quote,
)
from pipeline.manifest.reader import MAX_BYTES, read_document
from pipeline.manifest.spec import ManifestText
from pipeline.manifest.values import read_version

MAX_FILES = 64
"""That are included."""
MAX_ASSET_FILES = 1000


@dataclass(frozen=True)
class AssetSource:
    """One file that holds assets, as far as it could be read."""

    path: Path
    report: Report
    root: MappingNode


@dataclass(frozen=True)
class Source(AssetSource):
    """The manifest or a file that it includes, as far as it could be read."""

    shared: Checked[Shared]
    """What it may share with other files; the manifest's project and assets are read later."""

    @property
    def folder(self) -> str:
        """Where the paths that it holds start."""
        return str(self.path.parent)


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file whose bytes shaped the project."""

    named: str
    """Its absolute path as it was asked for."""
    path: str
    """The file itself: `named` with links followed."""
    sha256: str


@dataclass
class Sources:
    """Reads a manifest and its includes, each file once."""

    problems: Problems
    folder: Path
    """The manifest's folder, resolved; no file is read outside it."""
    found: list[Source] = field(default_factory=list)
    """Weakest first; the manifest itself last."""
    incomplete: bool = False
    """Whether a file could not be read, so that defaults and profiles may be missing."""
    files: list[ReadFile] = field(default_factory=list)
    """Every file that was read, in that order."""
    texts: list[ManifestText] = field(default_factory=list)
    """What the files hold, likewise."""
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    _seen: set[Path] = field(default_factory=set)

    @property
    def sha256(self) -> str:
        """Over the name, the length and the bytes of every file, in the order in which they were read."""
        return self._hash.hexdigest()

    @property
    def profiles(self) -> tuple[str, ...]:
        """Every profile that the files define, sorted."""
        return tuple(sorted({name for source in self.found for name in source.shared.value.profiles}))

    def read(
        self, path: Path, shown: str, chain: tuple[Path, ...] = (), named: Path | None = None
    ) -> Source | None:
        """Read ``path``, known to the person as ``shown``, after everything that it includes.

        ``named`` is ``path`` before links were followed.
        """
        self._seen.add(path)
        report = self.problems.in_file(shown)
        root = self._load(path, named or path, report)
        if root is None or not _known_version(root, report):
            self.incomplete = True
            return None
        shared = self._check(root, report, is_manifest=not chain)
        if shared is None:
            self.incomplete = True
            return None
        for place, text in enumerate(shared.value.include):
            self._include(text, place, path, Source(path, report, root, shared), (*chain, path))
        source = Source(path, report, root, shared)
        self.found.append(source)
        return source

    def read_assets(self, text: str, place: int, main: Source) -> AssetSource | None:
        """Read the file of assets that the manifest ``main`` lists as ``text``; None where it cannot be read."""
        try:
            path = find_inside(self.folder, main.path.parent, text)
            if path in self._seen:
                raise Fault(f"file {quote(text)} is read already", "list each file once, and no included one")
            if len(self._seen) >= MAX_ASSET_FILES:
                raise Fault(f"more than {MAX_ASSET_FILES:,} files are read", "put assets into fewer files")
        except Fault as fault:
            main.report.at(main.root, ("assets", place), fault)
            return None
        self._seen.add(path)
        report = self.problems.in_file(beside(main.report.file, text))
        root = self._load(path, main.path.parent / text, report)
        if root is None or not _known_version(root, report):
            return None
        check(AssetFile, _without_assets(root), report, stand_in={"cuesmith": "1", "assets": []})
        return AssetSource(path, report, root)

    def name_of(self, source: AssetSource) -> str:
        """The path of a file from the manifest's folder, with ``/``."""
        return source.path.relative_to(self.folder).as_posix()

    def _check(self, root: MappingNode, report: Report, is_manifest: bool) -> Checked[Shared] | None:
        if is_manifest:
            stand_in = {"cuesmith": "1", "project": "unnamed", "assets": []}
            return check(Manifest, _without_assets(root), report, stand_in=stand_in)
        return check(Shared, root, report, stand_in={"cuesmith": "1"})

    def _load(self, path: Path, named: Path, report: Report) -> MappingNode | None:
        try:
            if not path.is_file():
                what = "it is not a file" if path.exists() else "there is no such file"
                report.add(1, "", Fault(what, "check the path"))
                return None
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            report.add(1, "", Fault(f"the file cannot be read: {error.strerror}", "check its permissions"))
            return None
        sha256 = hashlib.sha256(data).hexdigest()
        self.files.append(ReadFile(str(named), os.path.realpath(path), sha256))
        name = path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else path.name
        text = ManifestText(name, data)
        self.texts.append(text)
        self._hash.update(text.hashed)
        return read_document(data, report)

    def _include(
        self, text: str, place: int, includer: Path, source: Source, chain: tuple[Path, ...]
    ) -> None:
        report, location = source.report, ("include", place)
        try:
            path = find_inside(self.folder, includer.parent, text)
            if path in chain:
                loop = [*chain[chain.index(path) :], path]
                names = " -> ".join(step.name for step in loop)
                raise Fault(f"files include each other in a circle: {names}", "remove one of these includes")
            if path not in self._seen and len(self._seen) >= MAX_FILES:
                raise Fault(
                    f"more than {MAX_FILES} files are included", "put shared settings into fewer files"
                )
        except Fault as fault:
            self.incomplete = True
            report.at(source.root, location, fault)
            return
        if path not in self._seen:
            self.read(path, beside(report.file, text), chain, includer.parent / text)


def _known_version(root: MappingNode, report: Report) -> bool:
    """False for a file of another version: nothing else in it can be judged."""
    node = root.items.get("cuesmith")
    if not isinstance(node, ScalarNode) or not node.text.isdecimal() or node.text == "1":
        return True
    try:
        read_version(node.text)
    except Fault as fault:
        report.at(root, ("cuesmith",), fault)
        return False
    return True


def _without_assets(root: MappingNode) -> MappingNode:
    """The manifest with an empty list in place of its assets, which are read one by one later."""
    part = MappingNode(root.line)
    part.key_lines = root.key_lines
    part.items = dict(root.items)
    if isinstance(root.items.get("assets"), SequenceNode):
        part.items["assets"] = SequenceNode(root.line)
    return part


def check_profile(sources: Sources, main: Source, profile: str) -> None:
    """Report a profile that no file defines."""
    names = sources.profiles
    if profile not in names and not sources.incomplete:
        remedy = (
            f"choose one of: {list_names(names)}" if names else "define it under profiles, or leave it out"
        )
        fault = Fault(f"there is no profile {quote(profile)}", remedy)
        line = main.root.key_lines.get("profiles", 1)
        main.report.add(line, "profiles", fault)
