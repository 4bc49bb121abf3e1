"""Names that every engine, middleware and file system accepts, different even without letter case, and stable."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

from pipeline.manifest.names import fold, is_reserved

_NOT_IN_OBJECT = re.compile("[^A-Za-z0-9_]")
_NOT_IN_FILE = re.compile("[^A-Za-z0-9_ .-]")
_ENGINE_WORDS = frozenset({"none", "null", "default", "class", "const", "true", "false"})
"""Names that Unreal, Unity or FMOD do not accept for an object."""
_MOST = 120
_MOST_IN_PART = 60
_HASH = 8


def object_name(text: str) -> str:
    """``text`` as the path of an object in an engine: parts of letters, digits and ``_``, with ``/`` between them.

    >>> object_name("sfx/door-01/None")
    'sfx/door_01/None_'
    """
    return _cleaned(text, _NOT_IN_OBJECT)


def file_stem(text: str) -> str:
    """``text`` as the path of a file without its ending: valid on Windows, macOS and Linux.

    >>> file_stem("sfx/FOOTHmn_Step Gravel_01"), file_stem("aux/a:b. ")
    ('sfx/FOOTHmn_Step Gravel_01', 'aux_/a_b')
    """
    return _cleaned(text, _NOT_IN_FILE)


def unique_names(
    wanted: Mapping[str, str], kept: Mapping[str, str], variations: Mapping[str, Iterable[int]] | None = None
) -> dict[str, str]:
    """A name for each key, from the clean name that it wants; no two are equal without letter case.

    ``kept`` are the names of an earlier export: a key keeps its name while it wants the same one. Of new keys with
    the same name the first in order gets it, and the others get a hash of their key behind it. A name is also never
    a folder of another one. With the ``variations`` of each key, names of variations (`variation_name`) count too.
    """
    names: dict[str, str] = {}
    taken = {fold(folder) for name in wanted.values() for folder in _folders(name)}
    for key in sorted(wanted, key=lambda key: (key not in kept, key)):
        numbers = tuple(variations[key]) if variations else ()
        plain, hashed = wanted[key], f"{wanted[key]}_{_digest(key)}"
        choices = [name for name in (plain, hashed) if name == kept.get(key)] + [plain, hashed]
        names[key] = next(
            (name for name in choices if taken.isdisjoint(_claims(name, numbers))),
            f"{hashed}_{_digest(hashed)}",
        )
        taken |= _claims(names[key], numbers)
    return names


def variation_name(name: str, variation: int) -> str:
    """The name of one variation of the sound ``name``.

    >>> variation_name("sfx/door", 1)
    'sfx/door_01'
    """
    return f"{name}_{variation:02d}"


def _claims(name: str, variations: Iterable[int]) -> set[str]:
    """``name`` and the names of its variations, without letter case."""
    return {fold(name), *(fold(variation_name(name, number)) for number in variations)}


def _folders(name: str) -> Iterable[str]:
    parts = name.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]


def _cleaned(text: str, bad: re.Pattern[str]) -> str:
    name = "/".join(_parts(text, bad))
    return name if len(name) <= _MOST else f"{name[: _MOST - _HASH - 1].rstrip('/ .')}_{_digest(text)}"


def _parts(text: str, bad: re.Pattern[str]) -> Iterator[str]:
    for part in text.split("/"):
        clean = bad.sub("_", part).strip(" .") or "_"
        if is_reserved(clean) or clean.casefold() in _ENGINE_WORDS:
            stem, dot, rest = clean.partition(".")
            clean = f"{stem}_{dot}{rest}"
        if clean.startswith("-"):
            clean = f"_{clean[1:]}"
        yield (
            clean if len(clean) <= _MOST_IN_PART else f"{clean[: _MOST_IN_PART - _HASH - 1]}_{_digest(part)}"
        )
