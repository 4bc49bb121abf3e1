"""Reads a tree as a group of keys, and reports in plain words what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.manifest.language import Language, flattened
from pipeline.manifest.problems import (
    Fault,
    Location,
    MappingNode,
    Report,
    dotted,
    list_names,
    locate,
    nearest,
    suggest,
    to_data,
)
from pipeline.manifest.structure import Faults, Group, Missing, UnknownKey


@dataclass(frozen=True)
class Checked:
    """What could be read, by key."""

    values: Mapping[str, Any]
    bad: frozenset[str]
    """Keys with a problem that is reported already; later checks leave them out."""
    faults: tuple[Location, ...] = ()
    """The places of these problems; for an unknown key also that of the missing key that it most likely means."""


def check(
    language: Language, group: Group, node: MappingNode, report: Report, base: Location = ()
) -> Checked:
    """What ``node`` says as a ``group``, without the keys that cannot be read; each of those is reported.

    A required key that is missing or cannot be read has a stand-in.
    """
    faults: Faults = []
    values = group.read_keys(to_data(node), (), faults)
    places = [location for location, _ in faults]
    for location, fault in faults:
        line, known = locate(node, location)
        place = location if isinstance(fault, Missing) else known
        report.add(
            line, dotted(base + place), _unknown(language, fault) if isinstance(fault, UnknownKey) else fault
        )
        if isinstance(fault, UnknownKey) and (meant := _meant(node, location, fault)):
            places.append((*location[:-1], meant))
    bad = {str(step) for location in places for step in location}
    stand_ins = {key.name: key.stand_in for key in group.keys if key.required and key.name not in values}
    return Checked({**stand_ins, **values}, frozenset(bad | stand_ins.keys()), tuple(places))


def _meant(node: MappingNode, location: Location, fault: UnknownKey) -> str | None:
    """The key that an unknown one most likely means, if that one is not written too."""
    meant = nearest(fault.key, fault.group.by_name)
    return None if meant is None or locate(node, (*location[:-1], meant))[1][-1:] == (meant,) else meant


def _unknown(language: Language, fault: UnknownKey) -> Fault:
    """The fault of a key that its group does not have, with the place where it belongs."""
    key, group = fault.key, fault.group
    if group.name == "AssetFile" and key in language.manifest.by_name:
        remedy = f"a file of assets contains only {list_names(group.by_name)}; move it to the manifest"
        return Fault("unknown key", remedy)
    if group.name == "Shared" and key in ("project", "assets"):
        remedy = f"an included file contains only {list_names(group.by_name)}; move it to the manifest"
        return Fault("unknown key", remedy)
    if key in language.asset.by_name and group.name in ("KindSettings", "Override"):
        return Fault("unknown key", "only an asset can have it; move it to the asset")
    home = _home_of(language, key)
    if home:
        return Fault("unknown key here", f"write it {home}")
    return Fault("unknown key", suggest(key, group.by_name, "known keys:"))


def _home_of(language: Language, name: str) -> str:
    """Where a key belongs, in words; empty for a key that the language does not have."""
    if name == "engine":
        return "in defaults, for all or below music or sfx"
    if any(key.name == name for key in language.settings):
        return "below music or sfx in defaults, or in one asset"
    if name in language.asset.by_name:
        return "in an asset"
    if name in language.override.by_name:
        return "below overrides"
    paths = (path for path, _ in flattened(language.asset.keys) if path[-1] == name and len(path) > 1)
    return next((f"below {path[-2]}" for path in paths), "")


@dataclass(frozen=True)
class Entry:
    """One entry as far as it could be read."""

    file: str
    """Its file: the path from the manifest's folder, with ``/``."""
    folder: Path
    """That file's folder, where the paths of the entry start."""
    place: int
    node: MappingNode
    checked: Checked
    report: Report
    overridden: Mapping[str, int] = field(default_factory=dict)
    """By key, which of the entry's overrides wrote its value."""
    _reported: set[object] = field(default_factory=set)
    """Places and reasons that `report_once` has reported; a copy with overrides shares it."""

    @property
    def asset(self) -> Mapping[str, Any]:
        """What is written; keys in ``checked.bad`` have stand-ins."""
        return self.checked.values

    @property
    def line(self) -> int:
        """Line of the entry's first key."""
        return self.node.line

    @property
    def key(self) -> tuple[str, int]:
        """Different for every entry."""
        return (self.file, self.place)

    def named_in(self, other: Entry) -> str:
        """How a message about ``other`` names this entry."""
        file = "" if other.file == self.file else f" of {self.report.file}"
        return f"assets[{self.place}] on line {self.line}{file}"

    def report_fault(self, location: Location, fault: Fault, *, warns: bool = False) -> None:
        """Report a fault in this entry, or warn of it."""
        location = self._written(location)
        report = self.report.warn if warns else self.report.add
        report(locate(self.node, location)[0], dotted(("assets", self.place, *location)), fault)

    def report_once(
        self, location: Location, fault: Fault, reason: object = None, *, warns: bool = False
    ) -> None:
        """As `report_fault`, unless one was reported there for the same reason."""
        place = (self._written(location), reason)
        if place not in self._reported:
            self._reported.add(place)
            self.report_fault(location, fault, warns=warns)

    def _written(self, location: Location) -> Location:
        """The place of a key: in the override that wrote it, if one did."""
        if location and location[0] in self.overridden:
            return ("overrides", self.overridden[str(location[0])], *location)
        return location

    def readable(self, *keys: str) -> bool:
        """Whether each of these keys could be read."""
        return self.checked.bad.isdisjoint(keys)
