"""The files of a manifest: itself, what it includes, files of assets, and audio; all inside the manifest's folder."""

from __future__ import annotations

import hashlib
import math
import os
import posixpath
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import CuesmithError
from pipeline.manifest.language import Language
from pipeline.manifest.names import is_reserved
from pipeline.manifest.problems import (
    Fault,
    MappingNode,
    Node,
    Problems,
    Report,
    ScalarNode,
    SequenceNode,
    beside,
    list_names,
    quote,
)
from pipeline.manifest.reader import MAX_BYTES, read_document
from pipeline.manifest.spec import AudioInput, ManifestText
from pipeline.manifest.structure import Group
from pipeline.manifest.validation import Checked, check
from pipeline.manifest.values import VERSION

if TYPE_CHECKING:
    from pipeline.audio import Clip

MIN_SECONDS = 0.02
"""Shortest sound that can condition a model: one frame of the codecs."""


def find_inside(root: Path, folder: Path, text: str) -> Path:
    """The existing file that ``text`` names from ``folder``, resolved; it must lie in ``root`` (resolved).

    Raises `Fault` for anything else: absolute, elsewhere (also by a link), another system's spelling, absent.
    """
    shown = quote(text)
    if "\\" in text:
        raise Fault(f"path {shown} contains a backslash", "separate folders with /")
    if ":" in text or text.startswith("/"):
        what = "contains ':'" if ":" in text else "is absolute"
        raise Fault(f"path {shown} {what}", "write a path from this file's folder, such as audio/theme.wav")
    if any(
        is_reserved(part) or part.endswith((" ", ".")) for part in PurePosixPath(text).parts if part != ".."
    ):
        raise Fault(f"path {shown} contains a name that Windows cannot open", "rename that folder or file")
    try:
        path = (folder / text).resolve()
        if not path.is_relative_to(root):
            raise Fault(f"path {shown} leads out of the manifest's folder", "move the file into that folder")
        if not path.is_file():
            raise Fault(f"there is no file {shown}", "check the path, which starts at this file's folder")
    except (OSError, RuntimeError) as error:
        raise Fault(f"path {shown} cannot be followed", "check it for links and length") from error
    return path


class AudioFiles:
    """The audio files of one load, each read, checked and hashed once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[tuple[Path, str], AudioInput | Fault] = {}
        self._seconds: dict[str, float] = {}

    def find(self, text: str, folder: Path) -> AudioInput:
        """The file that ``text`` names from ``folder``. Raises `Fault` if it is not a usable sound."""
        if (folder, text) not in self._known:
            try:
                self._known[folder, text] = self._checked(text, folder)
            except Fault as fault:
                self._known[folder, text] = fault
        known = self._known[folder, text]
        if isinstance(known, Fault):
            raise Fault(known.what, known.remedy)
        return known

    def seconds(self, audio: AudioInput) -> float:
        """How long a file that `find` gave is."""
        return self._seconds[audio.sha256]

    def _checked(self, text: str, folder: Path) -> AudioInput:
        path = find_inside(self._root, folder, text)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise Fault(
                f"file {quote(text)} cannot be read: {error.strerror}", "check its permissions"
            ) from error
        sha256 = hashlib.sha256(data).hexdigest()
        self._seconds[sha256] = _seconds_of(data, text)
        name = text
        if folder != self._root:
            name = posixpath.normpath((folder.relative_to(self._root) / text).as_posix())
        return AudioInput(name=name, path=str(path), sha256=sha256)


def _seconds_of(data: bytes, text: str) -> float:
    """The length of the sound in ``data``. Raises `Fault` if it is not a usable sound."""
    if not data:
        raise Fault(f"file {quote(text)} is empty", "export it again")
    try:
        clip: Clip = import_module("pipeline.audio").read(data)
    except CuesmithError as error:
        what, _, remedy = str(error).rpartition("; ")
        raise Fault(f"file {quote(text)}: {what or remedy}", remedy if what else "export it again") from error
    if clip.seconds < MIN_SECONDS:
        what = f"file {quote(text)} contains {clip.seconds * 1000:.3g} ms of sound"
        raise Fault(what, f"give {MIN_SECONDS * 1000:g} ms or more")
    # Of all samples together: a sum is finite only where every sample is, and needs no copy of them.
    if not math.isfinite(float(clip.samples.sum(dtype="float64"))):
        what = f"file {quote(text)} contains samples that are not numbers (NaN or infinity)"
        raise Fault(what, "export it again")
    return clip.seconds


MAX_FILES = 64
"""Limit of included files."""
MAX_ASSET_FILES = 1000


@dataclass(frozen=True)
class Source:
    """The manifest, a file that it includes or a file of assets, as far as it could be read."""

    path: Path
    report: Report
    root: MappingNode
    shared: Checked
    """Its keys; the assets are read later."""
    unparsed: frozenset[int]
    """Lines with a fault of YAML, whose value is not in ``root``."""

    @property
    def folder(self) -> str:
        """The folder where its paths start."""
        return str(self.path.parent)

    @property
    def assets(self) -> Sequence[Node]:
        """What it lists as assets."""
        listed = self.root.items.get("assets")
        return listed.items if isinstance(listed, SequenceNode) else ()

    @cached_property
    def unsure_assets(self) -> frozenset[int]:
        """The lines on which assets with faults of YAML start; 0 for such faults before all assets."""
        starts = [0, *sorted(asset.line for asset in self.assets)]
        return frozenset(starts[bisect(starts, line) - 1] for line in self.unparsed)


class ReadFile(NamedTuple):
    """A file whose bytes shaped the project."""

    named: str
    """Its absolute path as it was written."""
    path: str
    """The file itself: `named` with links followed."""
    sha256: str


@dataclass
class Sources:
    """Reads a manifest and its includes, each file once."""

    problems: Problems
    language: Language
    folder: Path
    """The manifest's folder, resolved; no file is read outside it."""
    read_sources: list[Source] = field(default_factory=list)
    """Weakest first; the manifest itself last."""
    incomplete: bool = False
    """Whether a file could not be read, so that defaults and profiles may be missing."""
    files: list[ReadFile] = field(default_factory=list)
    """Every file that was read, in that order."""
    texts: list[ManifestText] = field(default_factory=list)
    """Their contents, in the same order."""
    _seen: set[Path] = field(default_factory=set)

    @property
    def profiles(self) -> tuple[str, ...]:
        """Every profile that the files define, sorted."""
        return tuple(
            sorted(
                {name for source in self.read_sources for name in source.shared.values.get("profiles", {})}
            )
        )

    def read(
        self, path: Path, shown: str, chain: tuple[Path, ...] = (), named: Path | None = None
    ) -> Source | None:
        """Read ``path``, shown to the user as ``shown``, after everything that it includes.

        ``named`` is ``path`` before links were followed.
        """
        group = self.language.shared if chain else self.language.manifest
        source = self._source(path, named or path, shown, group)
        if source is None:
            self.incomplete = True
            return None
        for place, text in enumerate(source.shared.values.get("include", ())):
            self._include(text, place, source, (*chain, path))
        self.read_sources.append(source)
        return source

    def read_assets(self, text: str, place: int, main: Source) -> Source | None:
        """Read the file of assets that the manifest ``main`` lists as ``text``; None if it cannot be read."""
        try:
            path = find_inside(self.folder, main.path.parent, text)
            if path in self._seen:
                raise Fault(f"file {quote(text)} is read already", "list each file once, and no included one")
            if len(self._seen) >= MAX_ASSET_FILES:
                raise Fault(f"more than {MAX_ASSET_FILES:,} files are read", "put assets into fewer files")
        except Fault as fault:
            main.report.at(main.root, ("assets", place), fault)
            return None
        named = main.path.parent / text
        return self._source(path, named, beside(main.report.file, text), self.language.asset_file)

    def _source(self, path: Path, named: Path, shown: str, group: Group) -> Source | None:
        """The file, read as ``group``; None if it cannot be read."""
        self._seen.add(path)
        report = self.problems.in_file(shown)
        root = self._load(path, named, report)
        unparsed = self.problems.lines_in(shown)
        if root is None or not _known_version(root, report):
            return None
        shared = check(self.language, group, _without_assets(root), report)
        return Source(path, report, root, shared, unparsed)

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
        self.texts.append(ManifestText(name, data))
        return read_document(data, report)

    def _include(self, text: str, place: int, source: Source, chain: tuple[Path, ...]) -> None:
        report, folder = source.report, source.path.parent
        try:
            path = find_inside(self.folder, folder, text)
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
            report.at(source.root, ("include", place), fault)
            return
        if path not in self._seen:
            self.read(path, beside(report.file, text), chain, folder / text)


def _known_version(root: MappingNode, report: Report) -> bool:
    """False for a file of another version, in which nothing else can be checked."""
    node = root.items.get("cuesmith")
    try:
        if isinstance(node, ScalarNode) and node.text.isdecimal():
            VERSION.read(node.text)
    except Fault as fault:
        report.at(root, ("cuesmith",), fault)
        return False
    return True


def _without_assets(root: MappingNode) -> MappingNode:
    """The manifest with an empty list in place of its assets, which are read one by one later."""
    part = MappingNode(root.line, dict(root.items), root.key_lines)
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
