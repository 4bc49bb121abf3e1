"""Entries to `AssetSpec` values, one for each combination of an entry's for_each lists."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import cast

from pipeline.manifest.entries import Entry
from pipeline.manifest.files import AudioFiles
from pipeline.manifest.language import Settings
from pipeline.manifest.naming import FileNames
from pipeline.manifest.overrides import Applied, Overrides
from pipeline.manifest.problems import Fault
from pipeline.manifest.rules import conflicts
from pipeline.manifest.settings import Values, lay_from
from pipeline.manifest.shared_specs import Parts
from pipeline.manifest.spec import AssetSpec, Kind, SourceRef
from pipeline.manifest.templates import Template, check_name
from pipeline.manifest.texts import Combination, Texts
from pipeline.manifest.uniqueness import Ids

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
        self._parts = Parts()
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
