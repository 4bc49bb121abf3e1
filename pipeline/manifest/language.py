"""The groups of keys that make up the language, for a set of engines, and what other rooms ask about keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property
from typing import Any

from pipeline.manifest import keys, values
from pipeline.manifest.keys import OWN, SETTINGS
from pipeline.manifest.spec import DeliverySpec, MasteringSpec, QualitySpec
from pipeline.manifest.structure import AnyReader, EngineKeys, EngineKeysSource, Group, Key, ListOf, MapOf


@dataclass(frozen=True)
class Language:
    """The groups of the language, for a set of engines."""

    engines: Mapping[str, EngineKeys]
    """The keys that each engine brings."""

    @cached_property
    def engine_settings(self) -> tuple[Key, ...]:
        """Keys of engines that an asset, defaults and profiles may write."""
        return _merged((name, brought.settings) for name, brought in self.engines.items())

    @cached_property
    def engine_own(self) -> tuple[Key, ...]:
        """Keys of engines that only an asset may write."""
        return _merged((name, brought.own) for name, brought in self.engines.items())

    @cached_property
    def settings(self) -> tuple[Key, ...]:
        """Every key that defaults may write."""
        return (*SETTINGS, *self.engine_settings)

    @cached_property
    def merging(self) -> frozenset[str]:
        """Groups that layers and overrides merge key by key."""
        groups = (key for key in self.settings if isinstance(key.reader, Group) and key.reader.merges)
        return frozenset(key.name for key in groups)

    @cached_property
    def seen_by_engines(self) -> frozenset[str]:
        """Keys that an engine may refuse: they shape takes, or decide which engine and weights make them."""
        shaping = {key.name for key in self.asset.keys if not {"takes", "decoding"}.isdisjoint(key.affects)}
        deciding = {"id", "kind", "prompt", "engine", "model", "license", "for_each"}
        return frozenset((shaping | deciding) - {"seed"})

    def defaults(self, kind: str) -> dict[str, Any]:
        """The settings of a kind if nobody writes any. Fades keep the cut ends of a sound from clicking."""
        values = {key.name: key.value_for(kind) for key in self.settings}
        return {"engine": keys.ENGINE.default, "model_folder": "", **values}

    @cached_property
    def _own(self) -> tuple[Key, ...]:
        return (*self.settings, *OWN, *self.engine_own)

    @cached_property
    def override(self) -> Group:
        """Other values for the combinations of for_each that ``when`` names."""
        text = "Other values for the combinations of for_each that `when` names."
        return Group("Override", text, (*self._own, keys.WHEN, replace(keys.PROMPT, required="")))

    @cached_property
    def asset(self) -> Group:
        """One asset, or with for_each a family of them."""
        overrides = Key(
            "overrides",
            ListOf(self.override, 10_000),
            "[Other values](#overrides) for some combinations of `for_each`.",
        )
        rows = (keys.ID, keys.KIND, keys.PROMPT, keys.FOR_EACH, keys.ASSET_ENGINE, overrides)
        text = "One asset the game needs, or with for_each a family of them."
        return Group("Asset", text, (*rows, *self._own), alone=values.ASSET_FILE)

    @cached_property
    def kind(self) -> Group:
        """Settings of every asset of one kind."""
        return Group(
            "KindSettings",
            "Settings of every asset of one kind.",
            (*self.settings, keys.ENGINE),
            nullable=True,
        )

    @cached_property
    def layer(self) -> Group:
        """Settings by kind: the defaults, or one profile."""
        music = Key("music", self.kind, "Settings of every music asset.")
        sfx = Key("sfx", self.kind, "Settings of every sound effect.")
        text = "Settings by kind: the defaults, or one profile."
        return Group("Layer", text, (keys.ENGINE, music, sfx), nullable=True)

    @cached_property
    def shared(self) -> Group:
        """A file that manifests include: what a studio's projects have in common."""
        profiles = Key(
            "profiles",
            MapOf(self.layer, nullable=True),
            "[Named settings](#profiles), selected with `--profile`.",
            example={"prototype": {"engine": "sketch"}},
        )
        defaults = Key(
            "defaults",
            self.layer,
            "[Settings](#defaults) for all assets of a kind.",
            example={"sfx": {"loudness": "-23 LUFS"}},
        )
        first = (keys.CUESMITH, keys.PROJECT_SEED, keys.INCLUDE, keys.DECLARATION)
        return Group("Shared", "A file that manifests include.", (*first, profiles, defaults, keys.POLICY))

    def _assets(self, text: str) -> Key:
        return Key(
            "assets",
            ListOf(self.asset, 10**6),
            text,
            required="assets: and a list of assets, or assets: [] for none",
        )

    @cached_property
    def asset_file(self) -> Group:
        """A file of assets that a manifest lists."""
        assets = self._assets("Assets of the manifest that lists this file.")
        return Group("AssetFile", "A file of assets that a manifest lists.", (keys.CUESMITH, assets))

    @cached_property
    def manifest(self) -> Group:
        """A manifest: the project's name and the assets that its game needs."""
        assets = self._assets(
            "The list of assets, and of [files](#assets-in-several-files) with more assets; `[]` for none."
        )
        text = "A manifest: the project's name and the assets that its game needs."
        own = (keys.PROJECT, keys.PROMOTION, keys.EXPORTS, assets)
        return Group("Manifest", text, (*self.shared.keys, *own))


def _merged(brought: Iterable[tuple[str, tuple[Key, ...]]]) -> tuple[Key, ...]:
    """The keys of engines; a key that several engines bring is one row that names them all."""
    merged: dict[str, Key] = {}
    for engine, keys_of_engine in brought:
        for key in keys_of_engine:
            known = merged.get(key.name)
            merged[key.name] = replace(key, engines=(*(known.engines if known else ()), engine))
    return tuple(merged.values())


@cache
def language(engine_keys: EngineKeysSource) -> Language:
    """The language with the keys of these engines."""
    return Language(engine_keys())


def flattened(keys: tuple[Key, ...], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Key]]:
    """Every key with its path, those of inner groups too."""
    for key in keys:
        yield (*path, key.name), key
        if isinstance(key.reader, Group):
            yield from flattened(key.reader.keys, (*path, key.name))


@cache
def spec_keys(spec: type) -> dict[str, tuple[tuple[str, ...], Key]]:
    """The fields of a spec, each with the key that sets it."""
    known = {field.name for field in fields(spec)}
    rows = ((key.field or key.name, path, key) for path, key in flattened(SETTINGS))
    return {name: (path, key) for name, path, key in rows if name in known}


@cache
def reason_words() -> Mapping[str, tuple[str, str]]:
    """How a reason names each field of the specs, and the unit of its values."""
    rows = (row for spec in (MasteringSpec, DeliverySpec, QualitySpec) for row in spec_keys(spec).items())
    return {field: (words_of(path, key), unit_of(key.reader)) for field, (path, key) in rows}


@cache
def label_words() -> Mapping[str, str]:
    """How a reason names each label of a row."""
    return {key.name: words_of((key.name,), key) for key in (*SETTINGS, *OWN) if "labels" in key.affects}


@cache
def setting_words(engine_keys: EngineKeysSource) -> Mapping[str, tuple[str, str]]:
    """How a reason names each setting of a recipe that an engine's key sets, and the unit of its values."""
    known = language(engine_keys)
    rows = flattened((*known.engine_settings, *known.engine_own))
    return {key.field: (words_of(path, key), unit_of(key.reader)) for path, key in rows if key.field}


def words_of(path: tuple[str, ...], key: Key) -> str:
    """How a reason names a key."""
    return key.words or " ".join(path).replace("_", " ")


def unit_of(reader: AnyReader) -> str:
    """What a reason writes after a value."""
    return str(getattr(reader, "unit", ""))
