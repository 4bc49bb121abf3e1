"""Audio as a value: samples with their rate, and the speaker of each channel.

A channel mask has one bit for each speaker (WAVEFORMATEXTENSIBLE), and channels are in the order of its bits. Readers
bring the channels of other formats into this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
"""Values computed from samples."""


class Loop(NamedTuple):
    """The part of a clip that repeats, in samples. In JSON it is the list of both."""

    start: int
    end: int
    """Exclusive."""


@dataclass(frozen=True, eq=False)
class Clip:
    """Audio: ``samples`` float32 of shape [channels, samples], full scale at 1.0, and ``rate`` in Hz.

    ``speakers`` is the channel mask; 0 if the speakers are unknown.

    Samples may exceed full scale: models overshoot 1.0, and a take stores what the model returned.
    """

    samples: Samples
    rate: int
    speakers: int = 0

    def __post_init__(self) -> None:
        if self.samples.ndim != 2:
            raise ValueError(f"Clip.samples has shape {self.samples.shape}; give [channels, samples]")
        if self.samples.dtype != np.float32:
            raise ValueError(f"Clip.samples is {self.samples.dtype}; give float32")
        if self.rate <= 0:
            raise ValueError(f"Clip.rate is {self.rate}; give a rate in Hz above 0")
        if self.speakers and self.speakers.bit_count() != len(self.samples):
            raise ValueError(
                f"Clip.speakers is {self.speakers:#x}; give one bit for each of {self.channels} channels"
            )

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[0])

    @property
    def length(self) -> int:
        """Number of samples a channel."""
        return int(self.samples.shape[1])

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.length / self.rate


FL, FR, FC, LFE, BL, BR, FLC, FRC, BC, SL, SR = (1 << bit for bit in range(11))
"""Front left, right and centre, low-frequency effects, back left and right, front left and right of centre,
back centre, side left and right."""

NAMED_MASKS = {1: FC, 2: FL | FR, 3: FL | FR | FC, 4: FL | FR | BL | BR, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F}
"""Masks by number of channels as FLAC defines them (RFC 9639, 9.1.3) and Cuesmith writes them: mono, stereo, 3.0, quad,
5.0, 5.1, 6.1, 7.1."""

_GUESSED_MASKS = {**NAMED_MASKS, 3: FL | FR | LFE, 4: FL | FR | FC | BC}
"""Masks by number of channels for a file without a mask: ffmpeg's guess (2.1 and 4.0), because most meters use
ffmpeg."""

XIPH_ORDERS: dict[int, tuple[int, ...]] = {
    3: (FL, FC, FR),
    4: (FL, FR, BL, BR),
    5: (FL, FC, FR, BL, BR),
    6: (FL, FC, FR, BL, BR, LFE),
    7: (FL, FC, FR, SL, SR, BC, LFE),
    8: (FL, FC, FR, SL, SR, BL, BR, LFE),
}
"""Order of channels in Vorbis and Opus, if it is not that of the mask (Vorbis I, 4.3.9; RFC 7845, 5.1.1.2)."""


def guessed_mask(channels: int) -> int:
    """The mask of a file of ``channels`` that has none; 0 above 7.1."""
    return _GUESSED_MASKS.get(channels, 0)


def stated_mask(mask: int, channels: int) -> int:
    """``mask`` if it names one speaker for each channel, else `guessed_mask`."""
    return mask if mask.bit_count() == channels else guessed_mask(channels)


def in_mask_order(samples: Samples, rate: int, positions: Sequence[int]) -> Clip:
    """A clip of ``samples`` of shape [channels, samples], whose channels are in the order of ``positions``."""
    mask = sum(set(positions))
    if mask.bit_count() != len(samples):
        return Clip(samples, rate, guessed_mask(len(samples)))
    order = sorted(range(len(samples)), key=lambda channel: positions[channel])
    in_order = order == list(range(len(samples)))
    return Clip(samples if in_order else np.ascontiguousarray(samples[order]), rate, mask)
