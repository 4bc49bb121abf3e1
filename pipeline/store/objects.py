"""How an object is named: by the SHA-256 of its bytes, wherever it lies and whoever made it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import FormatError

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SUFFIX = re.compile(r"(?:\.[a-z0-9]{1,12}){1,2}")
_NAME = re.compile(rf"({_SHA256.pattern}){_SUFFIX.pattern}")
_FIELDS = frozenset({"sha256", "suffix", "size"})


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """The name of one object. A record names an object by holding `to_json` anywhere inside it."""

    sha256: str
    """64 lower-case hex digits over the object's bytes."""
    suffix: str
    """With its dot, such as ``.flac``."""
    size: int
    """Bytes."""

    def __post_init__(self) -> None:
        if not isinstance(self.sha256, str) or not _SHA256.fullmatch(self.sha256):
            raise FormatError(f"{self.sha256!r} is not a SHA-256 in 64 lower-case hex digits")
        if not isinstance(self.suffix, str) or not _SUFFIX.fullmatch(self.suffix):
            raise FormatError(f"{self.suffix!r} is not a file suffix such as '.flac'")
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 0:
            raise FormatError(f"{self.size!r} is not a size in bytes")

    @classmethod
    def of(cls, data: bytes, suffix: str) -> ObjectRef:
        """The name that ``data`` has.

        >>> ObjectRef.of(b"", ".wav").key
        'store/e3/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.wav'
        """
        return cls(hashlib.sha256(data).hexdigest(), suffix, len(data))

    @property
    def key(self) -> str:
        """Where it lies in a store."""
        return f"store/{self.sha256[:2]}/{self.sha256}{self.suffix}"

    def to_json(self) -> dict[str, Any]:
        """A JSON object with exactly the three fields; `from_json` reads it back."""
        return {"sha256": self.sha256, "suffix": self.suffix, "size": self.size}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ObjectRef:
        """The name in `to_json`'s object. Raises `FormatError`."""
        if value.keys() != _FIELDS:
            raise FormatError(f"{dict(value)!r} does not name an object; it needs sha256, suffix and size")
        return cls(value["sha256"], value["suffix"], value["size"])


def sha256_in(name: str) -> str | None:
    """The hash that a file's name promises, without its folder; None for files that are no objects."""
    match = _NAME.fullmatch(name)
    return match[1] if match else None


def named_objects(value: Any) -> Iterator[ObjectRef]:
    """Every object that a JSON value names, at any depth, in order and as often as it is named."""
    rest = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, dict):
            if item.keys() == _FIELDS:
                yield ObjectRef.from_json(item)
            else:
                rest.extend(reversed(item.values()))
        elif isinstance(item, list):
            rest.extend(reversed(item))
