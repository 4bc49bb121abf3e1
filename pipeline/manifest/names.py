"""Names that are valid and different on every system: asset ids, their placeholders, names of delivered files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from pipeline.formats import FORMATS
from pipeline.manifest.problems import Fault, list_names, nearest, quote
from pipeline.manifest.spec import Ucs
from pipeline.manifest.validation import Entry
from pipeline.manifest.values import FX_NAME, MAX_ID, PLACEHOLDER

_ID_PART = "[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?"
_WHOLE = re.compile(rf"{_ID_PART}(?:/{_ID_PART})*")
_ODD = re.compile("[^A-Za-z0-9_./-]")
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))]
)
_FILE_ENDINGS = tuple(f".{ending}" for ending in (*FORMATS, "aif", "aiff", "aac"))


def is_reserved(segment: str) -> bool:
    """Whether a file of this name is a device on Windows, with any ending.

    >>> is_reserved("Con.wav"), is_reserved("console")
    (True, False)
    """
    return segment.split(".", 1)[0].rstrip().casefold() in _RESERVED


def check_id(text: str, noun: str = "id") -> str:
    """``text`` if it can be an asset's id, ``segment/segment/segment``; else raises `Fault`."""
    if len(text) > MAX_ID:
        raise Fault(f"{noun} {quote(text)} has {len(text)} characters", f"shorten it to {MAX_ID} or fewer")
    if not _WHOLE.fullmatch(text):
        raise _bad_form(text, noun)
    for segment in text.split("/"):
        check_segment(segment)
    return text


def check_segment(text: str) -> None:
    """Raise `Fault` for a part of an id that is not a valid file name on some system."""
    if is_reserved(text):
        raise Fault(f"{quote(text)} is a device's name on Windows", "choose another name")
    if "." in text and text.casefold().endswith(_FILE_ENDINGS):
        stem = text.rpartition(".")[0]
        raise Fault(
            f"{quote(text)} ends like a file's name", f"write {stem}; formats says which files are made"
        )


def check_project(text: str) -> None:
    """Raise `Fault` if ``text`` is not a valid name of a project: one segment of an id."""
    if "/" in text:
        raise Fault(f"{quote(text)} contains '/'", "write one name, such as emberfall")
    check_id(text, "name")


def _bad_form(text: str, noun: str) -> Fault:
    """Why ``text`` is not ``segment/segment/segment``."""
    shown, odd = f"{noun} {quote(text)}", _ODD.search(text)
    if odd:
        letters = "use only the letters a to z and A to Z, digits, '_', '-', '.' and '/'"
        remedy = "separate the parts with /" if odd[0] == "\\" else letters
        return Fault(f"{shown} contains {quote(odd[0])}", remedy)
    for segment in text.split("/"):
        if not segment:
            return Fault(f"{shown} has an empty part", "write one / between parts and none at the ends")
        if segment in (".", ".."):
            remedy = "write the whole name: an id is not a path that leads from folder to folder"
            return Fault(f"{shown} has {quote(segment)} as a part", remedy)
        if segment.endswith("."):
            return Fault(f"{shown} has a part that ends with '.'", "remove that dot: Windows drops it")
    remedy = "start each part with a letter, a digit or '_'"
    return Fault(f"{shown} has a part that starts with '-' or '.'", remedy)


def fold(text: str) -> str:
    """Equal for two ids that some file system treats as the same: letter case and Unicode form left out.

    >>> fold("SFX/caf\\u00e9") == fold("sfx/cafe\\u0301")
    True
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


_PIECES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(PLACEHOLDER)


@dataclass(frozen=True, slots=True)
class Template:
    """Literal texts and places in a combination, in order."""

    parts: tuple[str | int, ...]

    @property
    def used(self) -> frozenset[int]:
        """Which places of a combination are filled in."""
        return frozenset(part for part in self.parts if isinstance(part, int))

    def fill(self, values: Sequence[str]) -> str:
        """The text for one combination."""
        return "".join([part if isinstance(part, str) else values[part] for part in self.parts])


def compile_template(text: str, names: Sequence[str]) -> Template:
    """``text`` with ``{name}`` for the names given; ``{{`` and ``}}`` are braces. Raises `Fault`.

    >>> compile_template("{{{surface}}}", ["surface"]).fill(["snow"])
    '{snow}'
    """
    if "{" not in text and "}" not in text:
        return Template((text,))
    parts: list[str | int] = []
    end = 0
    for piece in _PIECES.finditer(text):
        parts.append(text[end : piece.start()])
        end = piece.end()
        if piece[0] in ("{{", "}}"):
            parts.append(piece[0][0])
        elif piece[1] is None:
            raise Fault(f"a single '{piece[0]}' in {quote(text)}", f"write {piece[0] * 2} for a brace")
        elif piece[1] in names:
            parts.append(names.index(piece[1]))
        else:
            raise _unknown(piece[1], names)
    parts.append(text[end:])
    return Template(tuple(part for part in parts if part != ""))


def _unknown(name: str, names: Sequence[str]) -> Fault:
    close = nearest(name, names)
    if close:
        remedy = f"did you mean {{{close}}}?"
    elif _NAME.fullmatch(name):
        remedy = f"add for_each: {{{name}: [...]}}, or write {{{{{name}}}}} for braces"
    else:
        remedy = "write {{ and }} for braces"
    return Fault(f"unknown placeholder {quote('{' + name + '}')}", remedy)


def check_name(name: str) -> None:
    """Raise `Fault` if ``name`` is not valid in a placeholder."""
    if not _NAME.fullmatch(name):
        raise Fault(f"for_each name {quote(name)} cannot be a placeholder", "use letters, digits and '_'")


class Ids:
    """The ids of a manifest; each may be used once."""

    def __init__(self) -> None:
        self._earlier: list[tuple[str, str, Entry]] = []
        self._owners: dict[str, tuple[str, Entry]] = {}

    def add(self, text: str, entry: Entry) -> None:
        """Record ``text`` as an id of ``entry``. Its faults are reported, once for each entry."""
        key = fold(text)
        taken = self._owners.get(key)
        if taken is None:
            self._owners[key] = (text, entry)
        else:
            entry.report_once(("id",), _collision(text, entry, *taken), taken[1].key)
        try:
            check_id(text)
        except Fault as fault:
            entry.report_once(("id",), fault)

    def rename(self, was: tuple[str, ...], id_: str, entry: Entry) -> None:
        """Record that ``entry``'s asset ``id_`` had the ids ``was`` before."""
        self._earlier.extend((old, id_, entry) for old in was)

    def check_renames(self) -> None:
        """Report earlier ids that another asset has or had. Call it when every id is recorded."""
        claims: dict[str, tuple[str, Entry]] = {}
        for old, id_, entry in self._earlier:
            key = fold(old)
            if key in self._owners and old != self._owners[key][0] and id_ == self._owners[key][0]:
                pass  # only the capitals of its own id changed
            elif key in self._owners:
                entry.report_once(("was",), _still_there(old, id_, entry, *self._owners[key]))
            elif key in claims:
                entry.report_once(("was",), _claimed_twice(old, entry, *claims[key]))
            claims.setdefault(key, (id_, entry))


def _collision(text: str, entry: Entry, taken: str, owner: Entry) -> Fault:
    remedy = "give each asset its own id"
    if owner is entry:
        return Fault(f"for_each makes {quote(taken)} and {quote(text)}, which are the same name", remedy)
    place = owner.named_in(entry)
    if text == taken:
        return Fault(f"id {quote(text)} is used by {place}", remedy)
    what = f"id {quote(text)} differs from {quote(taken)} of {place} only in letter case or Unicode form"
    return Fault(what, f"some file systems treat them as the same; {remedy}")


def _still_there(old: str, id_: str, entry: Entry, taken: str, owner: Entry) -> Fault:
    """The fault of an earlier id that an asset still has."""
    if old == id_:
        return Fault(f"{quote(old)} is the asset's own id", "write its earlier id, or remove was")
    place = "this entry" if owner.key == entry.key else owner.named_in(entry)
    what = f"{quote(id_)} was {quote(old)}, and {place} has the id {quote(taken)}"
    return Fault(what, "give that asset another id, or remove was")


def _claimed_twice(old: str, entry: Entry, other: str, owner: Entry) -> Fault:
    """The fault of two assets that were one."""
    if owner.key == entry.key:
        return Fault(
            f"for_each makes two assets with the earlier id {quote(old)}",
            "use the names of for_each in was, as in the id",
        )
    what = f"{quote(old)} is already an earlier id of {quote(other)} ({owner.named_in(entry)})"
    return Fault(what, "write was at only one of the two")


DEFAULT = "{id}_{variation}"
VARIATION = "{variation}"
MAX_NAME = 160
_UCS = "ucs"
_UCS_TEMPLATE = "{folder}/{category}_{fx_name}_Cuesmith_{project}_{variation}"
"""CatID_FXName_CreatorID_SourceID_UserData of the Universal Category System, in the folder of the asset's id."""
_FIELDS = ("id", "folder", "name", "variation", "project", "category", "fx_name")
_FILE_NAME_PART = re.compile("[A-Za-z0-9_](?:[A-Za-z0-9_ .-]*[A-Za-z0-9_-])?")


class FileNames:
    """The file names of a manifest's assets."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._named: list[tuple[str, int, Entry]] = []
        self._custom = False

    def name(self, template: str, id_: str, variations: int, ucs: Ucs | None, entry: Entry) -> str | None:
        """The asset's file name with `VARIATION` left in it; None for the usual one.

        Its faults are reported, once for each entry.
        """
        filled = None
        if template != DEFAULT:
            self._custom = True
            try:
                filled = _filled(template, id_, self._project, ucs)
            except Fault as fault:
                entry.report_once(("naming",), fault)
        self._named.append((filled or f"{id_}_{VARIATION}", variations, entry))
        return filled

    def check(self) -> None:
        """Report files that have the same name."""
        owners: dict[str, Entry] = {}
        every = (
            ((name.replace(VARIATION, f"{number:02d}"), entry) for number in range(1, variations + 1))
            for name, variations, entry in (self._named if self._custom else ())
        )
        for name, entry in chain.from_iterable(every):
            owner = owners.get(fold(name))
            if owner is None:
                owners[fold(name)] = entry
                continue
            other = "" if owner.key == entry.key else f" (the other is {owner.named_in(entry)})"
            what = f"two sounds have the file name {quote(name)}{other}"
            fault = Fault(what, "give each its own ucs name, or use {id} in the template")
            entry.report_once(("naming",), fault)


def _filled(template: str, id_: str, project: str, ucs: Ucs | None) -> str:
    """``template`` for one asset. Raises `Fault`."""
    folder, _, name = id_.rpartition("/")
    if template == _UCS:
        if ucs is None:
            raise Fault("naming: ucs needs a UCS category", "write ucs: {category: FOOTHmn} for this asset")
        template, project = _UCS_TEMPLATE, project.replace("_", "-")
    try:
        compiled = compile_template(template, _FIELDS)
    except Fault as fault:
        known = list_names(f"{{{field}}}" for field in _FIELDS)
        raise Fault(fault.what, f"known placeholders: {known}") from None
    needs_category = _FIELDS.index("category") in compiled.used
    if needs_category and ucs is None:
        raise Fault(
            f"{quote(template)} needs a UCS category", "write ucs: {category: FOOTHmn} for this asset"
        )
    if _FIELDS.index("variation") not in compiled.used:
        raise Fault(
            f"{quote(template)} has no {VARIATION}", "add it: each alternate of a sound is a file of its own"
        )
    category = ucs.category if ucs else ""
    fx_name = (ucs.name if ucs and ucs.name else name).replace("_", " ")
    if _FIELDS.index("fx_name") in compiled.used:
        FX_NAME.check(fx_name)
    text = compiled.fill((id_, folder, name, VARIATION, project, category, fx_name)).lstrip("/")
    _check_legal(text.replace(VARIATION, "01"))
    return text


def _check_legal(name: str) -> None:
    """Raise `Fault` for a name that is not valid on Windows, macOS or Linux, or that one of them would change."""
    if len(name) > MAX_NAME:
        raise Fault(f"{quote(name)} has {len(name)} characters", f"shorten it to {MAX_NAME} or fewer")
    for segment in name.split("/"):
        if not _FILE_NAME_PART.fullmatch(segment):
            remedy = "use letters, digits, '_', '-', '.' and spaces, and begin and end each part with a letter or digit"
            raise Fault(f"{quote(name)} is not a valid file name on every system", remedy)
        check_segment(segment)
