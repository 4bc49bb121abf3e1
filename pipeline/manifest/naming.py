"""Names of delivered files: the template that a manifest gives, filled in, and held to what every disk can hold."""

from __future__ import annotations

import re
from itertools import chain

from pipeline.manifest.entries import Entry
from pipeline.manifest.ids import check_segment, fold
from pipeline.manifest.problems import Fault, list_names, quote
from pipeline.manifest.spec import Ucs
from pipeline.manifest.templates import compile_template
from pipeline.manifest.values import FX_NAME

DEFAULT = "{id}_{variation}"
VARIATION = "{variation}"
MAX_NAME = 160
_UCS = "ucs"
_UCS_TEMPLATE = "{folder}/{category}_{fx_name}_Cuesmith_{project}_{variation}"
"""CatID_FXName_CreatorID_SourceID_UserData of the Universal Category System, in the folder of the asset's id."""
_FIELDS = ("id", "folder", "name", "variation", "project", "category", "fx_name")
_SEGMENT = re.compile("[A-Za-z0-9_](?:[A-Za-z0-9_ .-]*[A-Za-z0-9_-])?")


class FileNames:
    """The file names of a manifest's assets."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._named: list[tuple[str, int, Entry]] = []
        self._custom = False
        self._blamed: set[tuple[str, int]] = set()

    def name(self, template: str, id_: str, variations: int, ucs: Ucs | None, entry: Entry) -> str | None:
        """The asset's file name with `VARIATION` left in it; None for the usual one.

        What is wrong with it is reported, once an entry.
        """
        filled = None
        if template != DEFAULT:
            self._custom = True
            try:
                filled = _filled(template, id_, self._project, ucs)
            except Fault as fault:
                self._blame_once(entry, fault)
        self._named.append((filled or f"{id_}_{VARIATION}", variations, entry))
        return filled

    def check(self) -> None:
        """Report files that one name would stand for."""
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
            what = f"two sounds would be the file {quote(name)}{other}"
            self._blame_once(
                entry, Fault(what, "give each a ucs name of its own, or use {id} in the template")
            )

    def _blame_once(self, entry: Entry, fault: Fault) -> None:
        if entry.key not in self._blamed:
            self._blamed.add(entry.key)
            entry.blame(("naming",), fault)


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
    """Raise `Fault` for a name that Windows, macOS or Linux cannot hold, or that one of them would change."""
    if len(name) > MAX_NAME:
        raise Fault(f"{quote(name)} has {len(name)} characters", f"shorten it to {MAX_NAME} or fewer")
    for segment in name.split("/"):
        if not _SEGMENT.fullmatch(segment):
            remedy = "use letters, digits, '_', '-', '.' and spaces, and begin and end each part with a letter or digit"
            raise Fault(f"{quote(name)} is not a name that every system can hold", remedy)
        check_segment(segment)
