"""The recipe: everything that determines one take, and the digest that identifies it.

A digest is SHA-256 over canonical JSON (RFC 8785) of the recipe, so key order, machine, path and time never
enter it. Seeds are derived by hashing, never from a position in a file or a batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import rfc8785

SCHEMA = "cuesmith.recipe/1"

Scalar = bool | int | float | str | None


def digest(value: Any) -> str:
    """SHA-256 in hex over the canonical JSON (RFC 8785) of ``value``.

    >>> digest({"b": 1, "a": 2.0}) == digest({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()


def derive_seed(seed: int, asset: str, variation: int, reroll: int, candidate: int) -> int:
    """The seed of one take, from 0 to 2^53 - 1 so that every JSON reader keeps it exact.

    ``variation`` counts from 1, ``reroll`` and ``candidate`` from 0.

    >>> derive_seed(7, "ui/click", 1, 0, 0) == derive_seed(7, "ui/click", 2, 0, 0)
    False
    """
    text = f"{seed}\n{asset}\n{variation}\n{reroll}\n{candidate}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 11


@dataclass(frozen=True)
class Recipe:
    """One take to generate. Equal recipes give equal audio on the same kind of device and software."""

    engine: str
    engine_version: str
    """Rises when the same inputs would give other audio."""
    model: str
    revision: str
    """The pinned revision or checkpoint hash of the model's weights."""
    kind: str
    prompt: str
    seconds: float
    """Length to generate, before trimming."""
    seed: int
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    """Other settings of the engine: sampling, tempo, loop, stride, decoder."""
    conditioning: Mapping[str, str] = field(default_factory=dict)
    """Audio inputs by role (``melody``, ``continue_from``, ``style``): SHA-256 of the file's bytes."""

    def to_json(self) -> dict[str, Any]:
        """A JSON object with the schema's name; `from_json` reads it back."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        apart = {"settings": dict(self.settings), "conditioning": dict(self.conditioning)}
        return {"schema": SCHEMA, **values, **apart}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Recipe:
        """The recipe of `to_json`'s object."""
        return cls(**{key: item for key, item in value.items() if key != "schema"})

    @cached_property
    def digest(self) -> str:
        """The recipe's identity."""
        return digest(self.to_json())


def reseeded(recipe: Recipe) -> Callable[[int], Recipe]:
    """A function from a seed, from 0 to 2^53 - 1, to ``recipe`` with it in place of its own.

    Canonical JSON takes most of a large plan's time, so it is made once for all seeds, around the seed.
    """
    before, after = rfc8785.dumps(replace(recipe, seed=0).to_json()).split(b'"seed":0', 1)

    def with_seed(seed: int) -> Recipe:
        made = replace(recipe, seed=seed)
        # What `cached_property` would store.
        vars(made)["digest"] = hashlib.sha256(b'%b"seed":%d%b' % (before, seed, after)).hexdigest()
        return made

    return with_seed
