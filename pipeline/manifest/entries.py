"""One entry of ``assets`` as far as it could be read, and how to blame it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.manifest.checking import Checked
from pipeline.manifest.language import Asset
from pipeline.manifest.problems import Fault, Location, MappingNode, Report


@dataclass(frozen=True)
class Entry:
    """One entry as far as it could be read."""

    file: str
    """The file that it stands in: its path from the manifest's folder, with ``/``."""
    folder: Path
    """That file's folder, where the paths of the entry start."""
    place: int
    node: MappingNode
    checked: Checked[Asset]
    report: Report
    overridden: Mapping[str, int] = field(default_factory=dict)
    """By key, which of the entry's overrides wrote its value."""

    @property
    def asset(self) -> Asset:
        """What is written; keys in ``checked.bad`` hold stand-ins."""
        return self.checked.value

    @property
    def line(self) -> int:
        """Line of the entry's first key."""
        return self.node.line

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from every other entry."""
        return (self.file, self.place)

    def named_in(self, other: Entry) -> str:
        """How a message about ``other`` names this entry."""
        file = "" if other.file == self.file else f" of {self.report.file}"
        return f"assets[{self.place}] on line {self.line}{file}"

    def blame(self, location: Location, fault: Fault) -> None:
        """Report a fault in this entry."""
        if location and location[0] in self.overridden:
            location = ("overrides", self.overridden[str(location[0])], *location)
        self.report.at(self.node, location, fault, base=("assets", self.place))

    def readable(self, *keys: str) -> bool:
        """Whether each of these keys could be read."""
        return self.checked.bad.isdisjoint(keys)
