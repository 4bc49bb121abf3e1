"""One entry of ``assets`` as far as it could be read, and how to blame it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.manifest.checking import Checked
from pipeline.manifest.faults import Fault
from pipeline.manifest.language import Asset
from pipeline.manifest.nodes import Location, Mapping
from pipeline.manifest.problems import Report


@dataclass(frozen=True)
class Entry:
    """One entry as far as it could be read."""

    place: int
    node: Mapping
    checked: Checked[Asset]
    report: Report

    @property
    def asset(self) -> Asset:
        """What is written; keys in ``checked.bad`` hold stand-ins."""
        return self.checked.value

    @property
    def line(self) -> int:
        """Line of the entry's first key."""
        return self.node.line

    def blame(self, location: Location, fault: Fault) -> None:
        """Report a fault in this entry."""
        self.report.at(self.node, location, fault, base=("assets", self.place))

    def readable(self, *keys: str) -> bool:
        """Whether each of these keys could be read."""
        return self.checked.bad.isdisjoint(keys)
