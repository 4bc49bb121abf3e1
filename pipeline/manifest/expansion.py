"""Entries to `AssetSpec` values: one for each combination of an entry's for_each, with its overrides and texts."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar, cast

from pipeline.manifest.files import AudioFiles
from pipeline.manifest.keys import Asset, Language, Override, Settings
from pipeline.manifest.names import FileNames, Ids, Template, check_id, check_name, compile_template
from pipeline.manifest.problems import Fault, Location, quote, suggest
from pipeline.manifest.settings import SharedSpecs, Values, conflicts, hearing_of, lay_from
from pipeline.manifest.spec import AssetSpec, AudioInput, Kind, SourceRef, Ucs
from pipeline.manifest.validation import Checked, Entry
from pipeline.manifest.values import FX_NAME, PATH, PROMPT, TAG

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


ValueT = TypeVar("ValueT")
Combination = Sequence[str]


class Filler(Generic[ValueT]):
    """One text of an entry: its value for each combination. A fault is reported once, at the first."""

    def __init__(
        self, entry: Entry, location: Location, template: Template | None, finish: Callable[[str], ValueT]
    ) -> None:
        self._entry = entry
        self._location = location
        self._template = template
        self._finish = finish
        self._failed = False
        self._constant: ValueT | None = None
        if template is not None and template.constant is not None:
            self._constant = self._value(())
            self._template = None

    def _value(self, combination: Combination) -> ValueT | None:
        if self._template is None or self._failed:
            return self._constant
        try:
            return self._finish(self._template.fill(combination))
        except Fault as fault:
            self._failed = True
            self._entry.blame(self._location, fault)
            return None

    def fill(self, combination: Combination) -> ValueT | None:
        """The value; None where nothing is written or where it cannot stand."""
        return self._constant if self._template is None else self._value(combination)


class Texts:
    """Everything in an entry that may hold ``{name}``."""

    def __init__(self, entry: Entry, audio: AudioFiles) -> None:
        self._entry = entry
        asset = entry.asset
        self._names = list(asset.for_each)
        self.id = self._template(("id",), asset.id)
        self._was = [
            Filler(
                entry, ("was", place), self._template(("was", place), text), lambda old: check_id(old, "was")
            )
            for place, text in enumerate(asset.was)
        ]
        self._prompt = Filler(entry, ("prompt",), self._template(("prompt",), asset.prompt), PROMPT.check)
        self._tags = [
            Filler(entry, ("tags", place), self._template(("tags", place), tag), TAG.check)
            for place, tag in enumerate(asset.tags)
        ]
        files: dict[str, tuple[Location, str | None]] = {
            "melody": (("melody",), asset.melody),
            "continue_from": (("continue_from",), asset.continue_from),
            "style": (("style", "file"), asset.style.file if asset.style else None),
        }

        def find(path: str) -> AudioInput:
            return audio.find(PATH.check(path), entry.folder)

        def find_style(path: str) -> AudioInput:
            found = find(path)
            audio.check_excerpt(found, hearing_of(asset.style))
            return found

        self._audio = {
            role: Filler(entry, place, self._template(place, text), find_style if role == "style" else find)
            for role, (place, text) in files.items()
        }
        name = asset.ucs.name if asset.ucs else None
        where: Location = ("ucs", "name")
        self._fx_name = Filler(entry, where, self._template(where, name), FX_NAME.check)

    def _template(self, location: Location, text: str | None) -> Template | None:
        if text is None or not self._entry.readable(str(location[0])):
            return None
        try:
            return compile_template(text, self._names)
        except Fault as fault:
            if self._entry.readable("for_each"):
                self._entry.blame(location, fault)
            return None

    def check(self, combination: Combination) -> None:
        """Report what is wrong with this combination."""
        self.prompt(combination)
        self.tags(combination, ())
        for role in self._audio:
            self.audio(role, combination)
        self.ucs(combination)

    def was(self, slugs: Combination) -> tuple[str, ...]:
        """The earlier ids, the latest first; ``slugs`` are the combination's values as ids hold them."""
        filled = (filler.fill(slugs) for filler in self._was)
        return tuple(old for old in filled if old is not None)

    def prompt(self, combination: Combination) -> str:
        """The prompt."""
        return self._prompt.fill(combination) or ""

    def tags(self, combination: Combination, otherwise: tuple[str, ...]) -> tuple[str, ...]:
        """The tags, each once; ``otherwise`` where the entry has none of its own."""
        if "tags" not in self._entry.asset.model_fields_set:
            return otherwise
        return tuple(dict.fromkeys(filler.fill(combination) or "" for filler in self._tags))

    def audio(self, role: str, combination: Combination) -> AudioInput | None:
        """The audio file of a role."""
        return self._audio[role].fill(combination)

    def ucs(self, combination: Combination) -> Ucs | None:
        """The UCS labels."""
        labels = self._entry.asset.ucs
        return Ucs(labels.category, self._fx_name.fill(combination)) if labels else None


MAX_ASSETS = 200_000
MAX_TAKES = 1_000_000
"""Of all variations and their candidates: a plan holds each."""
Make = Callable[[str, tuple[str, ...], Combination], AssetSpec]
"""From an id, earlier ids and a combination to the asset."""
_COUNTS = ("variations", "candidates", "for_each")
_SETTINGS = frozenset(Settings.model_fields)


class Expansion:
    """Expands the entries of one manifest, for one profile."""

    def __init__(
        self,
        project: str,
        seed: int,
        base: dict[str, Values],
        unsure: frozenset[str],
        audio: AudioFiles,
    ):
        self._seed = seed
        self._base = base
        self._unsure = unsure
        self._audio = audio
        self._ids = Ids()
        self._names = FileNames(project)
        self._parts = SharedSpecs()
        self._room = MAX_ASSETS
        self._takes_left = MAX_TAKES

    def expand(self, entry: Entry) -> Iterator[AssetSpec]:
        """The entry's assets. What is wrong with it is reported, and then they are not to be used."""
        id_, overrides = Texts(entry, self._audio).id, Overrides(entry)
        if id_ is None or not self._countable(entry, id_):
            return
        lists = list(entry.asset.for_each.values())
        slugs = [[value.replace(" ", "_") for value in known] for known in lists]
        variants = self._variants(overrides, lists)
        if variants is None:
            return
        for combination, slug in zip(itertools.product(*lists), itertools.product(*slugs), strict=True):
            applied = overrides.applied(combination)
            texts, make = variants[applied]
            name, was = id_.fill(slug), texts.was(slug)
            self._ids.take(name, entry)
            self._ids.rename(was, name, overrides.variant(applied))
            if make:
                yield make(name, was, combination)
            else:
                texts.check(combination)

    def _variants(
        self, overrides: Overrides, lists: Sequence[Sequence[str]]
    ) -> dict[Applied, tuple[Texts, Make | None]] | None:
        """What makes the assets under each choice of overrides that occurs; None where they are too many."""
        if overrides:
            counts = Counter(overrides.applied(combination) for combination in itertools.product(*lists))
        else:
            counts = Counter({(): math.prod(len(known) for known in lists)})
        variants: dict[Applied, tuple[Texts, Make | None]] = {}
        for applied, count in counts.items():
            entry = overrides.variant(applied)
            texts, values = Texts(entry, self._audio), self._settle(entry)
            if values and not self._makable(entry, values, count):
                return None
            variants[applied] = (texts, self._maker(entry, texts, values) if values else None)
        return variants

    def finish(self) -> None:
        """Report what is only seen when every entry is expanded."""
        self._names.check()
        self._ids.check_renames()

    def _settle(self, entry: Entry) -> Values | None:
        """The entry's settings; None where they cannot stand together or could not be read."""
        if not entry.readable("kind"):
            return None
        asset, written = entry.asset, entry.asset.model_fields_set
        values = lay_from(self._base[asset.kind], asset, str(entry.folder), written & _SETTINGS)
        unsure = self._unsure | entry.checked.bad
        found = list(conflicts(values, written))
        for conflict in found:
            if unsure.isdisjoint(conflict.keys):
                key = next((key for key in conflict.keys if key in written), conflict.keys[0])
                entry.blame((key,), conflict.fault)
        return None if found else values

    def _countable(self, entry: Entry, id_: Template) -> bool:
        """Whether the entry's combinations can be told apart, and are not too many."""
        if not entry.readable("for_each"):
            return False
        lists = entry.asset.for_each
        good = True
        for place, name in enumerate(lists):
            try:
                check_name(name)
                if place not in id_.used:
                    raise Fault(
                        f"{name} is not used in the id", f"write {{{name}}} in the id, or remove {name}"
                    )
            except Fault as fault:
                good = False
                entry.blame(("for_each", name), fault)
        count = math.prod(len(known) for known in lists.values())
        if good and count > self._room:
            good = False
            what = f"the manifest makes more than {MAX_ASSETS:,} assets"
            entry.blame(("for_each",), Fault(what, "shorten the lists, or split the manifest"))
        self._room -= count if good else 0
        return good

    def _makable(self, entry: Entry, values: Values, combinations: int) -> bool:
        """Whether the manifest may make as many takes more as so many combinations of the entry ask for."""
        takes = combinations * values["variations"] * values["candidates"]
        if takes > self._takes_left:
            key = next((key for key in _COUNTS if key in entry.asset.model_fields_set), "variations")
            remedy = "ask for fewer variations or candidates, shorten for_each, or split the manifest"
            entry.blame((key,), Fault(f"the manifest makes more than {MAX_TAKES:,} takes", remedy))
            return False
        self._takes_left -= takes
        return True

    def _maker(
        self, entry: Entry, texts: Texts, values: Values
    ) -> Callable[[str, tuple[str, ...], Combination], AssetSpec]:
        """A function from an id, earlier ids and a combination to the asset; what the entry shares is made once."""
        asset = entry.asset
        seed = self._seed if asset.seed is None else asset.seed
        mastering, delivery = self._parts.mastering(values), self._parts.delivery(values)
        quality, sampling = self._parts.quality(values), self._parts.sampling(values)
        source, hearing = SourceRef(entry.file, entry.line), self._parts.hearing(asset.style)
        kind = cast(Kind, asset.kind)

        def make(id_: str, was: tuple[str, ...], combination: Combination) -> AssetSpec:
            ucs = texts.ucs(combination)
            return AssetSpec(
                id=id_,
                kind=kind,
                prompt=texts.prompt(combination),
                duration_s=values["duration"],
                variations=values["variations"],
                candidates=values["candidates"],
                seed=seed,
                bpm=values["bpm"],
                loop=values["loop"],
                tags=texts.tags(combination, values["tags"]),
                lock=bool(asset.lock),
                extend=values["extend"],
                license=values["license"],
                engine=values["engine"],
                model=values["model"],
                sampling=sampling,
                melody=texts.audio("melody", combination),
                continue_from=texts.audio("continue_from", combination),
                style=texts.audio("style", combination),
                hearing=hearing,
                ucs=ucs,
                mastering=mastering,
                delivery=delivery,
                source=source,
                naming=self._names.name(values["naming"], id_, values["variations"], ucs, entry),
                quality=quality,
                credentials=values["credentials"],
                decoder=values["decoder"],
                was=was,
                model_folder=values["model_folder"],
            )

        return make
