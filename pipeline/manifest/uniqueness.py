"""Ids taken by a manifest's entries: no two that any file system would hold as one."""

from __future__ import annotations

from pipeline.manifest.entries import Entry
from pipeline.manifest.faults import Fault, quote
from pipeline.manifest.ids import check_id, fold


class Ids:
    """The ids of a manifest, each taken once."""

    def __init__(self) -> None:
        self._owners: dict[str, tuple[str, Entry]] = {}
        self._blamed: set[tuple[tuple[str, int], tuple[str, int] | None]] = set()

    def take(self, text: str, entry: Entry) -> None:
        """Give ``text`` to ``entry``. What is wrong with it is reported, once an entry."""
        key = fold(text)
        taken = self._owners.get(key)
        if taken is None:
            self._owners[key] = (text, entry)
        else:
            self._blame_once(entry, taken[1].key, _collision(text, entry, *taken))
        try:
            check_id(text)
        except Fault as fault:
            self._blame_once(entry, None, fault)

    def _blame_once(self, entry: Entry, other: tuple[str, int] | None, fault: Fault) -> None:
        """Report ``fault`` unless ``entry`` has one for the same reason already."""
        if (entry.key, other) not in self._blamed:
            self._blamed.add((entry.key, other))
            entry.blame(("id",), fault)


def _collision(text: str, entry: Entry, taken: str, owner: Entry) -> Fault:
    remedy = "give each asset an id of its own"
    if owner is entry:
        return Fault(f"for_each makes {quote(taken)} and {quote(text)}, which are one name", remedy)
    place = owner.named_in(entry)
    if text == taken:
        return Fault(f"id {quote(text)} is taken by {place}", remedy)
    what = f"id {quote(text)} differs from {quote(taken)} of {place} only in letter case or Unicode form"
    return Fault(what, f"some file systems hold them as one; {remedy}")
