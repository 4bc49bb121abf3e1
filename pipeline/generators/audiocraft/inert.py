"""OmegaConf's containers in a torch file, read as data.

AudioCraft's diffusion checkpoints hold their configuration as pickled OmegaConf objects. None of those is made: each of
OmegaConf's names stands for a class of this file that keeps what it is given and does nothing, so that a file can say
no more than a tree of values. Their layout (``_content``, ``_val``) is that of OmegaConf 2.1 to 2.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pipeline.generators.audiocraft.pickles import Known

MAX_DEPTH = 32
MAX_VALUES = 100_000

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]


class Inert:
    """Keeps its state, whatever that is."""

    state: Mapping[Any, Any] = MappingProxyType({})

    def __new__(cls, *_: object) -> Inert:
        """One without state, whatever arguments the file gives."""
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        self.state = state if isinstance(state, Mapping) else {}


class Container(Inert):
    """A mapping or a list: its content stands in ``_content``."""


class Value(Inert):
    """A leaf: its value stands in ``_val``."""


def _mapping(*_: object) -> dict[Any, Any]:
    """For ``collections.defaultdict``, which holds what resolvers gave."""
    return {}


KNOWN: Known = (
    (Container, "omegaconf.dictconfig.DictConfig"),
    (Container, "omegaconf.listconfig.ListConfig"),
    *(
        (Value, f"omegaconf.nodes.{name}")
        for name in ("AnyNode", "BooleanNode", "FloatNode", "IntegerNode", "StringNode")
    ),
    (Inert, "omegaconf.base.ContainerMetadata"),
    (Inert, "omegaconf.base.Metadata"),
    (Inert, "typing.Any"),
    *((Inert, f"builtins.{name}") for name in ("bool", "dict", "float", "int", "list", "str")),
    (_mapping, "collections.defaultdict"),
)


def plain(value: object) -> Plain:
    """The tree of values that an object of the file says.

    Interpolations stay text. Raises `ValueError` for what is none: other objects, and trees too deep or too large.
    """
    return _Reader().read(value, 0)


class _Reader:
    """Counts, since a small file can name one branch many times."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def read(self, value: object, depth: int) -> Plain:
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise ValueError("its configuration is nested too deep or has too many values")
        if isinstance(value, Container):
            return self.read(value.state.get("_content"), depth + 1)
        if isinstance(value, Value):
            return self.read(value.state.get("_val"), depth + 1)
        if isinstance(value, dict):
            return {str(key): self.read(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.read(item, depth + 1) for item in value]
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise ValueError(f"its configuration holds a {type(value).__name__}")
