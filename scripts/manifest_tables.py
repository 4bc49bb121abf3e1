"""Writes what is made from the table of manifest keys: the tables of docs/manifest.md and the JSON Schema.

python scripts/manifest_tables.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline.generators.registry import engine_keys
from pipeline.manifest.keys import SETTINGS
from pipeline.manifest.language import Language, language
from pipeline.manifest.schema import json_schema_text
from pipeline.manifest.structure import Group, Key

ROOT = Path(__file__).parents[1]
HANDBOOK = ROOT / "docs" / "manifest.md"
SCHEMA = ROOT / "manifests" / "manifest.schema.json"
EFFECTS = {
    "takes": "generates this asset again",
    "decoding": "decodes the stored codes again; the model does not generate",
    "masters": "masters the same takes again; needs no GPU",
    "signatures": "signs the existing files",
    "labels": "changes the catalog; makes nothing",
    "catalog": "changes the catalog or the library; makes nothing",
}


def with_tables(text: str) -> str:
    """The handbook's text with its tables as the keys have them now."""
    for name, lines in tables(language(engine_keys)):
        block = "\n".join(lines)
        text = re.sub(
            rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)",
            lambda found, block=block: f"{found[1]}{block}\n{found[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
    return text


def tables(known: Language) -> Iterator[tuple[str, list[str]]]:
    """Name and lines of each table."""
    yield "head", table("key", known.manifest.keys)
    settings = {key.name for key in known.settings}
    yield "asset", table("key", (key for key in known.asset.keys if key.name not in settings))
    yield "settings", by_kind("key", known.settings)
    for name in ("sampling", "style", "start_from", "repaint", "lego", "complete"):
        group = known.asset.by_name[name].reader
        assert isinstance(group, Group)
        yield name, table(f"key of `{name}`", group.keys)
    quality = next(key.reader for key in SETTINGS if key.name == "quality")
    assert isinstance(quality, Group)
    yield "quality", by_kind("key of `quality`", quality.keys)
    yield "effects", effects(known)


def table(head: str, keys: Iterable[Key]) -> list[str]:
    """A table of keys with one default each."""
    rows = (f"| `{key.name}` | {default(key, 0)} | {key.described} |" for key in keys)
    return [f"| {head} | default | meaning |", "|---|---|---|", *rows]


def by_kind(head: str, keys: Iterable[Key]) -> list[str]:
    """A table of keys with a default for music and one for sound effects."""
    rows = (f"| `{key.name}` | {default(key, 0)} | {default(key, 1)} | {key.described} |" for key in keys)
    return [f"| {head} | music | sfx | meaning |", "|---|---|---|---|", *rows]


def default(key: Key, column: int) -> str:
    """A key's default for music (0) or sound effects (1)."""
    if key.required:
        return "required"
    value = key.default_for(("music", "sfx")[column])
    if key.shown:
        return key.shown
    if isinstance(key.reader, Group) and key.reader.merges:
        inner = [(part.name, part.default_for(("music", "sfx")[column])) for part in key.reader.keys]
        return f"`{{{', '.join(f'{name}: {written}' for name, written in inner if written)}}}`"
    return "none" if value is None else f"`{written(value)}`"


def written(value: Any) -> str:
    """A value on one line of YAML."""
    return value if isinstance(value, str) else json.dumps(value).replace('"', "")


def effects(known: Language) -> list[str]:
    """What a change of each key makes a build do."""
    keys = {key.name: key for key in (*known.manifest.keys, *known.layer.keys, *known.asset.keys)}
    rows = [
        (", ".join(f"`{name}`" for name, key in keys.items() if key.affects[:1] == (effect,)), text)
        for effect, text in EFFECTS.items()
    ]
    return [
        "| a build | after a change of |",
        "|---|---|",
        *(f"| {text} | {names} |" for names, text in rows),
    ]


if __name__ == "__main__":
    HANDBOOK.write_text(with_tables(HANDBOOK.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.write_text(json_schema_text(engine_keys), encoding="utf-8")
