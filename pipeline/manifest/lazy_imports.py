"""The manifest room's only late imports: YAML, the table of keys and the audio reader would slow
down a `plan` of a known manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

if TYPE_CHECKING:
    from pipeline.audio import Clip
    from pipeline.errors import Problem
    from pipeline.manifest.loader import Loaded
    from pipeline.manifest.spec import ManifestText, Project
    from pipeline.manifest.structure import EngineKeys, EngineKeysSource


def no_engine_keys() -> Mapping[str, EngineKeys]:
    """The language without any engine's keys."""
    return {}


Check: TypeAlias = "Callable[[Project], Iterable[Problem]]"
"""Finds problems of a project that the language does not know of."""


def no_check(project: Project) -> Iterable[Problem]:
    """Find none."""
    return ()


def load(
    path: Path,
    profile: str | None = None,
    engine_keys: EngineKeysSource = no_engine_keys,
    check: Check = no_check,
) -> Project:
    """The project that the manifest at ``path`` describes, with the settings of ``profile``.

    ``engine_keys`` gives the keys that engines bring, by the engine's name; ``check`` finds what else is wrong. Raises
    `ManifestError` with every problem of the manifest and of what it includes, in file order.
    """
    return load_with_files(path, profile, engine_keys, check)[0]


def load_with_files(
    path: Path, profile: str | None, engine_keys: EngineKeysSource, check: Check = no_check
) -> Loaded:
    """`pipeline.manifest.loader.load_with_files`."""
    return cast("Loaded", _late("manifest.loader", "load_with_files")(path, profile, engine_keys, check))


def manifest_texts(path: Path, engine_keys: EngineKeysSource = no_engine_keys) -> tuple[ManifestText, ...]:
    """`pipeline.manifest.loader.manifest_texts`."""
    return cast("tuple[ManifestText, ...]", _late("manifest.loader", "manifest_texts")(path, engine_keys))


def profile_names(path: Path, engine_keys: EngineKeysSource = no_engine_keys) -> tuple[str, ...]:
    """`pipeline.manifest.loader.profile_names`."""
    return cast("tuple[str, ...]", _late("manifest.loader", "profile_names")(path, engine_keys))


def json_schema_text(engine_keys: EngineKeysSource = no_engine_keys) -> str:
    """`pipeline.manifest.schema.json_schema_text`."""
    return str(_late("manifest.schema", "json_schema_text")(engine_keys))


def reason_words() -> Mapping[str, tuple[str, str]]:
    """`pipeline.manifest.language.reason_words`."""
    return cast("Mapping[str, tuple[str, str]]", _late("manifest.language", "reason_words")())


def setting_words(engine_keys: EngineKeysSource) -> Mapping[str, tuple[str, str]]:
    """`pipeline.manifest.language.setting_words`."""
    return cast("Mapping[str, tuple[str, str]]", _late("manifest.language", "setting_words")(engine_keys))


def label_words() -> Mapping[str, str]:
    """`pipeline.manifest.language.label_words`."""
    return cast("Mapping[str, str]", _late("manifest.language", "label_words")())


def read_audio(data: bytes) -> Clip:
    """The sound in the bytes of an audio file. Raises `CuesmithError`."""
    return cast("Clip", _late("audio", "read")(data))


def _late(module: str, name: str) -> Any:
    """What ``module`` of the pipeline calls ``name``."""
    return getattr(import_module(f"pipeline.{module}"), name)
