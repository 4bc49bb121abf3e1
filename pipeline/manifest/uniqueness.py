"""Ids taken by a manifest's entries: no two that any file system would hold as one."""

from __future__ import annotations

from pipeline.manifest.entries import Entry
from pipeline.manifest.ids import check_id, fold
from pipeline.manifest.problems import Fault, quote


class Ids:
    """The ids of a manifest, each taken once."""

    def __init__(self) -> None:
        self._earlier: list[tuple[str, str, Entry]] = []
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

    def rename(self, was: tuple[str, ...], id_: str, entry: Entry) -> None:
        """Note that ``entry``'s asset ``id_`` had the ids ``was`` before."""
        self._earlier.extend((old, id_, entry) for old in was)

    def check_renames(self) -> None:
        """Report earlier ids that somebody else has, or had. To be called once every id is taken."""
        claims: dict[str, tuple[str, Entry]] = {}
        for old, id_, entry in self._earlier:
            key = fold(old)
            if key in self._owners and old != self._owners[key][0] and id_ == self._owners[key][0]:
                pass  # only the capitals of its own id changed
            elif key in self._owners:
                self._blame_was(entry, _still_there(old, id_, entry, *self._owners[key]))
            elif key in claims:
                self._blame_was(entry, _claimed_twice(old, entry, *claims[key]))
            claims.setdefault(key, (id_, entry))

    def _blame_was(self, entry: Entry, fault: Fault) -> None:
        if (entry.key, ("was", 0)) not in self._blamed:
            self._blamed.add((entry.key, ("was", 0)))
            entry.blame(("was",), fault)

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


def _still_there(old: str, id_: str, entry: Entry, taken: str, owner: Entry) -> Fault:
    """The fault of an earlier id that an asset of the manifest still has."""
    if old == id_:
        return Fault(f"{quote(old)} is the asset's own id", "write the id that it had before, or remove was")
    place = "this entry" if owner.key == entry.key else owner.named_in(entry)
    what = f"{quote(id_)} was {quote(old)}, and {place} has the id {quote(taken)}"
    return Fault(
        what, "give that asset another id, or remove was: a name that was given away cannot be used again"
    )


def _claimed_twice(old: str, entry: Entry, other: str, owner: Entry) -> Fault:
    """The fault of two assets that were one."""
    if owner.key == entry.key:
        return Fault(
            f"for_each makes two assets that were {quote(old)}",
            "write the names of for_each in was, as in the id",
        )
    what = f"{quote(old)} is what {quote(other)} was ({owner.named_in(entry)})"
    return Fault(what, "an asset can become only one other: write was at one of the two")
