"""Entries to `AssetSpec` values: one for each combination of an entry's for_each, with its overrides and texts."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from pipeline.manifest.files import AudioFiles
from pipeline.manifest.language import Language
from pipeline.manifest.names import FileNames, Ids, Template, check_id, check_name, compile_template
from pipeline.manifest.problems import Fault, Location, quote, suggest
from pipeline.manifest.settings import Values, asset_specs, conflicts, merge, merge_asset, settled
from pipeline.manifest.spec import AssetSpec, AudioInput, Kind, ScoreSpec, SourceRef, Ucs
from pipeline.manifest.structure import Group, Key
from pipeline.manifest.validation import Entry
from pipeline.manifest.values import FX_NAME, PATH, PROMPT, TAG, AudioFile

Applied = tuple[int, ...]
"""Places in ``overrides`` of those that apply, in their order; the last one that writes a key counts."""
_Condition = tuple[int, frozenset[str]]
"""Place of a name in for_each, and the values that it may have."""


class Overrides:
    """The overrides of one entry. Overrides with problems are reported and left out."""

    def __init__(self, entry: Entry, merging: Set[str]) -> None:
        self._entry = entry
        self._merging = merging
        self._names = list(_lists(entry))
        written = entry.asset.get("overrides", ()) if entry.readable("overrides", "for_each") else ()
        if written and not self._names:
            fault = Fault("overrides need a for_each", "write these keys in the asset itself")
            entry.report_fault(("overrides",), fault)
            written = ()
        self._by_value: dict[tuple[int, str], list[tuple[int, list[_Condition]]]] = {}
        for place, override in enumerate(written):
            if self._is_valid(place, override, written):
                self._index(place, override)
        self._variants: dict[Applied, Entry] = {(): entry}

    def _index(self, place: int, override: Values) -> None:
        """Index an override by each value of the first name in its when."""
        conditions = [(self._names.index(name), frozenset(known)) for name, known in override["when"].items()]
        (first, values), *rest = conditions
        for value in values:
            self._by_value.setdefault((first, value), []).append((place, rest))

    def applied(self, combination: Sequence[str]) -> Applied:
        """Which of the overrides apply to a combination of for_each's values."""
        places = (
            place
            for key in enumerate(combination)
            for place, rest in self._by_value.get(key, ())
            if all(combination[name] in known for name, known in rest)
        )
        return tuple(sorted(places))

    def variant(self, applied: Applied) -> Entry:
        """The entry with the overrides ``applied``; a fault is reported at the override that wrote the key."""
        if applied not in self._variants:
            self._variants[applied] = self._merged(applied)
        return self._variants[applied]

    def _merged(self, applied: Applied) -> Entry:
        asset = dict(self._entry.asset)
        by: dict[str, int] = {}
        for place in applied:
            override = {name: value for name, value in asset["overrides"][place].items() if name != "when"}
            asset = merge(asset, override, self._merging)
            by |= dict.fromkeys(override, place)
        return replace(self._entry, checked=replace(self._entry.checked, values=asset), overridden=by)

    def _is_valid(self, place: int, override: Values, written: Sequence[Values]) -> bool:
        faults = list(self._faults(place, override, written))
        for location, fault in faults:
            self._entry.report_fault(("overrides", place, *location), fault)
        return not faults

    def _faults(
        self, place: int, override: Values, written: Sequence[Values]
    ) -> Iterator[tuple[tuple[str, ...], Fault]]:
        lists = _lists(self._entry)
        for name, values in override["when"].items():
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
        if override.keys() <= {"when"}:
            yield (), Fault("has only when", "add a key such as seed: 7, or remove it")
        same = next((other for other in range(place) if written[other]["when"] == override["when"]), None)
        if same is not None:
            yield ("when",), Fault(f"overrides[{same}] has the same when", "write all of its keys in one")


def _lists(entry: Entry) -> Mapping[str, tuple[str, ...]]:
    """The lists of the entry's for_each."""
    lists: Mapping[str, tuple[str, ...]] = entry.asset.get("for_each", {})
    return lists


ValueT = TypeVar("ValueT")
Combination = Sequence[str]
Filled = Callable[[Combination], ValueT | None]
"""The value of a text with placeholders for a combination; None if nothing is written, or if it has a fault."""


class Texts:
    """Every text of an entry that may contain ``{name}``."""

    def __init__(self, entry: Entry, audio: AudioFiles, engine_own: Sequence[Key]) -> None:
        self._entry = entry
        asset = entry.asset
        self._names = list(_lists(entry))
        self.id = self._template(("id",), asset["id"])
        self._was = [
            self._text(("was", place), text, lambda old: check_id(old, "was"))
            for place, text in enumerate(asset.get("was", ()))
        ]
        self._prompt = self._text(("prompt",), asset["prompt"], PROMPT.check)
        self._tags = [
            self._text(("tags", place), tag, TAG.check) for place, tag in enumerate(asset.get("tags", ()))
        ]
        self._engine_own = {key.name: asset[key.name] for key in engine_own if key.name in asset}
        self._audio = {
            path: self._audio_text(path, text, audio, group)
            for path, text, group in _audio_paths(engine_own, asset)
        }
        self._fx_name = self._text(("ucs", "name"), asset.get("ucs", {}).get("name"), FX_NAME.check)

    def _text(self, location: Location, text: str | None, finish: Callable[[str], ValueT]) -> Filled[ValueT]:
        """What ``finish`` makes of the text for each combination. A fault is reported once."""
        template = self._template(location, text)

        def fill(combination: Combination) -> ValueT | None:
            try:
                return finish(template.fill(combination)) if template else None
            except Fault as fault:
                self._entry.report_once(location, fault)
                return None

        if template and template.used:
            return fill
        constant = fill(())
        return lambda combination: constant

    def _audio_text(
        self, path: tuple[str, ...], text: str, files: AudioFiles, group: Group | None
    ) -> Filled[AudioInput]:
        """Finds the audio file that the key at ``path`` names."""
        values = self._entry.asset[path[0]]

        def find(text: str) -> AudioInput:
            file = files.find(PATH.check(text), self._entry.folder)
            if group is not None and group.check is not None:
                group.check(file.name, values, files.seconds(file))
            return file

        return self._text(path, text, find)

    def _template(self, location: Location, text: str | None) -> Template | None:
        if text is None or not self._entry.readable(str(location[0])):
            return None
        try:
            return compile_template(text, self._names)
        except Fault as fault:
            if self._entry.readable("for_each"):
                self._entry.report_fault(location, fault)
            return None

    def check(self, combination: Combination) -> None:
        """Report the faults of this combination."""
        self.prompt(combination)
        self.tags(combination, ())
        self.engine_own(combination)
        self.ucs(combination)

    def was(self, slugs: Combination) -> tuple[str, ...]:
        """The earlier ids, the latest first; ``slugs`` are the combination's values in the form for ids."""
        return tuple(old for was in self._was if (old := was(slugs)) is not None)

    def prompt(self, combination: Combination) -> str:
        """The prompt."""
        return self._prompt(combination) or ""

    def tags(self, combination: Combination, otherwise: tuple[str, ...]) -> tuple[str, ...]:
        """The tags, each once; ``otherwise`` if the entry has none."""
        if "tags" not in self._entry.asset:
            return otherwise
        return tuple(dict.fromkeys(tag(combination) or "" for tag in self._tags))

    def engine_own(self, combination: Combination) -> dict[str, Any]:
        """The entry's own keys of engines, with the audio files that they name."""
        values = dict(self._engine_own)
        for (name, *inner), audio in self._audio.items():
            file = audio(combination)
            values[name] = {**values[name], inner[0]: file} if inner else file
        return values

    def ucs(self, combination: Combination) -> Ucs | None:
        """The UCS labels."""
        labels = self._entry.asset.get("ucs")
        return Ucs(labels["category"], self._fx_name(combination)) if labels else None


def _audio_paths(
    keys: Iterable[Key], asset: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], str, Group | None]]:
    """Path, text and group of every key that names an audio file and is written."""
    for key in keys:
        value, group = asset.get(key.name), key.reader
        if isinstance(group, AudioFile) and value is not None:
            yield (key.name,), value, None
        elif isinstance(group, Group) and isinstance(value, dict):
            for inner in group.keys:
                if isinstance(inner.reader, AudioFile) and inner.name in value:
                    yield (key.name, inner.name), value[inner.name], group


MAX_ASSETS = 200_000
MAX_TAKES = 1_000_000
"""Of all variations and their candidates; a plan has each of them in memory."""
Make = Callable[[str, tuple[str, ...], Combination], AssetSpec]
"""From an id, earlier ids and a combination to the asset."""
_COUNTS = ("variations", "candidates", "for_each")


@dataclass
class Expansion:
    """Makes assets from the entries of one manifest, for one profile."""

    project: str
    seed: int
    base: Mapping[str, Values]
    """The settings of each kind before those of any asset."""
    unsure: frozenset[str]
    """Settings with a problem that is reported already."""
    audio: AudioFiles
    language: Language
    profile_engines: frozenset[str] = frozenset()
    """Kinds whose engine the profile sets."""
    _assets_left: int = MAX_ASSETS
    _takes_left: int = MAX_TAKES

    def __post_init__(self) -> None:
        self._ids = Ids()
        self._names = FileNames(self.project)
        self._specs: dict[Any, Any] = {}
        """Equal specs are one object."""

    def expand(self, entry: Entry) -> Iterator[tuple[AssetSpec, Entry]]:
        """The entry's assets, each with the entry and its overrides; do not use them if a problem is reported."""
        id_, overrides = (
            Texts(entry, self.audio, self.language.engine_own).id,
            Overrides(entry, self.language.merging),
        )
        if id_ is None or not self._countable(entry, id_):
            return
        lists = list(_lists(entry).values())
        slugs = [[value.replace(" ", "_") for value in known] for known in lists]
        variants = self._variants(overrides, lists)
        if variants is None:
            return
        for combination, slug in zip(itertools.product(*lists), itertools.product(*slugs), strict=True):
            applied = overrides.applied(combination)
            texts, make = variants[applied]
            name, was = id_.fill(slug), texts.was(slug)
            self._ids.add(name, entry)
            self._ids.rename(was, name, overrides.variant(applied))
            if make:
                yield make(name, was, combination), overrides.variant(applied)
            else:
                texts.check(combination)

    def _variants(
        self, overrides: Overrides, lists: Sequence[Sequence[str]]
    ) -> dict[Applied, tuple[Texts, Make | None]] | None:
        """For each set of overrides that occurs, its texts and what makes its assets; None if there are too many."""
        counts = Counter(map(overrides.applied, itertools.product(*lists)))
        variants: dict[Applied, tuple[Texts, Make | None]] = {}
        for applied, count in counts.items():
            entry = overrides.variant(applied)
            texts, values = Texts(entry, self.audio, self.language.engine_own), self._settle(entry)
            if values and not self._makable(entry, values, count):
                return None
            variants[applied] = (texts, self._maker(entry, texts, values) if values else None)
        return variants

    def is_sure(self, entry: Entry) -> bool:
        """Whether everything that an engine sees of the entry could be read."""
        unread = (self.unsure - entry.asset.keys()) | entry.checked.bad
        return self.language.seen_by_engines.isdisjoint(unread)

    def finish(self) -> None:
        """Report the problems that concern several entries."""
        self._names.check()
        self._ids.check_renames()

    def _settle(self, entry: Entry) -> Values | None:
        """The entry's settings; None if they conflict or could not be read."""
        if not entry.readable("kind"):
            return None
        asset, written, kind = entry.asset, entry.asset.keys(), entry.asset["kind"]
        values = settled(
            merge_asset(
                self.base[kind],
                asset,
                str(entry.folder),
                self.language.merging,
                profile_engine=kind in self.profile_engines,
            )
        )
        unsure = self.unsure | entry.checked.bad
        problems = list(conflicts(values, written))
        for keys, fault in problems:
            if unsure.isdisjoint(keys):
                key = next((key for key in keys if key in written), keys[0])
                entry.report_fault((key,), fault)
        return None if problems else values

    def _countable(self, entry: Entry, id_: Template) -> bool:
        """Whether each combination of the entry has its own id, and there are not too many."""
        if not entry.readable("for_each"):
            return False
        lists = _lists(entry)
        valid = True
        for place, name in enumerate(lists):
            try:
                check_name(name)
                if place not in id_.used:
                    raise Fault(
                        f"{name} is not used in the id", f"write {{{name}}} in the id, or remove {name}"
                    )
            except Fault as fault:
                valid = False
                entry.report_fault(("for_each", name), fault)
        count = math.prod(len(known) for known in lists.values())
        if valid and count > self._assets_left:
            valid = False
            what = f"the manifest makes more than {MAX_ASSETS:,} assets"
            entry.report_fault(("for_each",), Fault(what, "shorten the lists, or split the manifest"))
        self._assets_left -= count if valid else 0
        return valid

    def _makable(self, entry: Entry, values: Values, combinations: int) -> bool:
        """Whether the manifest may make the takes of so many more combinations of the entry."""
        takes = combinations * values["variations"] * values["candidates"]
        if takes > self._takes_left:
            key = next((key for key in _COUNTS if key in entry.asset), "variations")
            remedy = "ask for fewer variations or candidates, shorten for_each, or split the manifest"
            entry.report_fault((key,), Fault(f"the manifest makes more than {MAX_TAKES:,} takes", remedy))
            return False
        self._takes_left -= takes
        return True

    def _maker(self, entry: Entry, texts: Texts, values: Values) -> Make:
        """A function from an id, earlier ids and a combination to the asset; shared parts are made once."""
        asset = entry.asset
        seed = asset.get("seed", self.seed)
        mastering, delivery, quality = (self._specs.setdefault(spec, spec) for spec in asset_specs(values))
        source = SourceRef(entry.file, entry.line)
        kind = cast(Kind, asset["kind"])
        scores = tuple(ScoreSpec(name, **keys) for name, keys in sorted((values["scores"] or {}).items()))
        engine_settings = _changed(self.language.engine_settings, values, kind)

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
                lock=asset.get("lock", False),
                license=values["license"],
                engine=values["engine"],
                model=values["model"],
                ucs=ucs,
                mastering=mastering,
                delivery=delivery,
                source=source,
                naming=self._names.name(values["naming"], id_, values["variations"], ucs, entry),
                quality=quality,
                credentials=values["credentials"],
                engine_keys=engine_settings | texts.engine_own(combination),
                was=was,
                private_prompts=values["private_prompts"],
                model_folder=values["model_folder"],
                priority=values["priority"],
                scores=scores,
            )

        return make


def _changed(keys: Iterable[Key], values: Values, kind: str) -> dict[str, Any]:
    """The keys whose values are not the defaults; of a group that merges, only such keys in it."""
    changed: dict[str, Any] = {}
    for key in keys:
        value, default = values[key.name], key.value_for(kind)
        if isinstance(default, dict):
            value = {name: inner for name, inner in value.items() if inner != default[name]}
            default = {}
        if value != default:
            changed[key.name] = value
    return changed
