"""The contract between Cuesmith and anything that marks sounds and finds the mark again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypedDict, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Mono = npt.NDArray[np.float32]
    """Samples of one channel, shape [samples], full scale at 1.0."""

MESSAGE_BITS = 16
PRESENT = 0.5
"""The least probability at which a mark counts as found."""
WRONG_BITS = 2
"""How many bits of a message a codec may turn: of all messages, one in 500 is as close to the expected one."""


@dataclass(frozen=True, slots=True)
class Found:
    """The result of looking for a mark in a sound."""

    probability: float
    """From 0 to 1: the share of the audible part that the detector takes for marked."""
    bits: tuple[float, ...]
    """For each bit of the message, the least significant first: from 0 to 1, that it is set."""

    @property
    def message(self) -> int:
        """The message; of a sound without the mark, any number."""
        return sum(1 << place for place, bit in enumerate(self.bits) if bit > 0.5)

    @property
    def is_present(self) -> bool:
        """Whether there is a mark."""
        return self.probability >= PRESENT

    def has(self, message: int) -> bool:
        """Whether there is a mark with ``message``."""
        return self.is_present and (self.message ^ message).bit_count() <= WRONG_BITS

    def to_json(self, message: int) -> FoundJson:
        """A JSON object, with whether it is the mark with ``message``."""
        return FoundJson(
            found=self.has(message),
            probability=round(self.probability, 3),
            message=message_text(self.message),
        )


class Watermarker(Protocol):
    """The networks of a watermark, used by one process."""

    rate_hz: int
    """The sample rate of the sounds that it takes."""

    def mark(self, sound: Mono, message: int) -> Mono:
        """What to add to ``sound``: as many samples, the same for the same sound and message.

        ``sound`` has the loudness of a master. ``message`` has `MESSAGE_BITS` bits.
        """

    def find(self, sound: Mono) -> tuple[Mono, Mono]:
        """For each sample of ``sound`` from 0 to 1, that it is marked; and the bits of the message as in `Found`."""


@runtime_checkable
class Watermark(Protocol):
    """The object of an entry point in the group ``cuesmith.watermarks``."""

    name: str
    version: str
    """Changes when the same sound would get another mark; part of the masters that carry it."""
    model: str
    revision: str
    license: str
    seconds_a_second: float
    """How long one core needs to mark a second of sound, about; for estimates."""

    def missing(self) -> Iterable[str]:
        """What this machine lacks (weights, packages), each a sentence with its remedy. Nothing is loaded."""

    def open(self) -> Watermarker:
        """Get ready to mark and to find. Raises `MachineError` with what is missing."""


class WatermarkJson(TypedDict):
    """The watermark of a master, in its record, its catalog row and its credentials."""

    name: str
    model: str
    revision: str
    license: str
    """Of the model's weights."""
    message: str
    """As `message_text` writes it."""
    strength: float
    """Factor of the mark; 1 is that of the model."""


class FoundJson(TypedDict):
    """Whether the mark of a master is in one of its files, as players decode it."""

    found: bool
    probability: float
    message: str
    """What the detector read; of a sound without the mark, anything."""


def message_of(project: str) -> int:
    """The message in the sounds of a project: the first `MESSAGE_BITS` bits of the SHA-256 of its name.

    >>> message_text(message_of("game"))
    '6ca5'
    """
    return int.from_bytes(hashlib.sha256(project.encode()).digest()[: MESSAGE_BITS // 8], "big")


def message_text(message: int) -> str:
    """A message as records and commands show it: hexadecimal digits."""
    return f"{message:0{MESSAGE_BITS // 4}x}"
