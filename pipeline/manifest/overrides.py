"""Other values for some combinations of an entry's for_each: which apply to a combination, and what they give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pipeline.manifest.checking import Checked
from pipeline.manifest.entries import Entry
from pipeline.manifest.language import Asset, Language, Override
from pipeline.manifest.problems import Fault, quote, suggest

Applied = tuple[int, ...]
"""Places in ``overrides`` of those that apply, in their order; the last one that writes a key counts."""
_Condition = tuple[int, frozenset[str]]
"""Place of a name in for_each, and the values that it may have."""
_BY_KEY = ("sampling", "fade", "quality")
"""Groups that are laid over each other key by key, as everywhere in the language."""


class Overrides:
    """The overrides of one entry. What is wrong with them is reported, and those are left out."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._names = list(entry.asset.for_each)
        written = entry.asset.overrides if entry.readable("overrides", "for_each") else ()
        if written and not self._names:
            fault = Fault(
                "there is no for_each, so there is one sound alone", "write these keys in the asset itself"
            )
            entry.blame(("overrides",), fault)
            written = ()
        self._by_value: dict[tuple[int, str], list[tuple[int, list[_Condition]]]] = {}
        for place, override in enumerate(written):
            if self._is_sound(place, override, written):
                self._index(place, override)
        self._variants: dict[Applied, Entry] = {(): entry}

    def __bool__(self) -> bool:
        return bool(self._by_value)

    def _index(self, place: int, override: Override) -> None:
        """Note an override under each value of the first name that it asks for."""
        conditions = [(self._names.index(name), frozenset(known)) for name, known in override.when.items()]
        (first, values), *rest = conditions
        for value in values:
            self._by_value.setdefault((first, value), []).append((place, rest))

    def applied(self, combination: Sequence[str]) -> Applied:
        """Which of the overrides apply to a combination of for_each's values."""
        found = (
            place
            for key in enumerate(combination)
            for place, rest in self._by_value.get(key, ())
            if all(combination[name] in known for name, known in rest)
        )
        return tuple(sorted(found))

    def variant(self, applied: Applied) -> Entry:
        """The entry with the overrides ``applied`` laid over it; its faults are blamed on who wrote the key."""
        if applied not in self._variants:
            self._variants[applied] = self._laid(applied)
        return self._variants[applied]

    def _laid(self, applied: Applied) -> Entry:
        asset = self._entry.asset
        by: dict[str, int] = {}
        for place in applied:
            asset = _lay(asset, asset.overrides[place])
            by |= dict.fromkeys(asset.overrides[place].model_fields_set, place)
        return replace(self._entry, checked=Checked(asset, self._entry.checked.bad), overridden=by)

    def _is_sound(self, place: int, override: Override, written: Sequence[Override]) -> bool:
        faults = list(self._faults(place, override, written))
        for location, fault in faults:
            self._entry.blame(("overrides", place, *location), fault)
        return not faults

    def _faults(
        self, place: int, override: Override, written: Sequence[Override]
    ) -> Iterator[tuple[tuple[str, ...], Fault]]:
        lists = self._entry.asset.for_each
        for name, values in override.when.items():
            if name not in lists:
                fault = Fault(f"for_each has no {quote(name)}", suggest(name, lists, "its names are"))
                yield ("when", name), fault
                continue
            for value in values:
                if value not in lists[name]:
                    remedy = suggest(value, lists[name], "its values are")
                    yield (
                        ("when", name),
                        Fault(f"{quote(value)} is not a value of {name} in for_each", remedy),
                    )
        if override.model_fields_set <= {"when"}:
            yield (), Fault("says nothing but when", "write a key such as seed: 7, or remove it")
        twin = next((other for other in range(place) if written[other].when == override.when), None)
        if twin is not None:
            yield ("when",), Fault(f"overrides[{twin}] has the same when", "write all of its keys in one")


def _lay(below: Asset, above: Override) -> Asset:
    """``below`` with every key that ``above`` writes in its place."""
    update: dict[str, Any] = {}
    for name in above.model_fields_set - {"when"}:
        value, before = getattr(above, name), getattr(below, name)
        if name in _BY_KEY and isinstance(before, Language) and isinstance(value, Language):
            value = before.model_copy(update={key: getattr(value, key) for key in value.model_fields_set})
        update[name] = value
    return below.model_copy(update=update)
