"""The value that audio is in Cuesmith: float32 samples with their rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Clip:
    """Audio: ``samples`` float32 of shape [channels, samples], full scale at 1.0, and ``rate`` in Hz.

    ``speakers`` is the channel mask of WAVEFORMATEXTENSIBLE, channels in the order of its bits; 0 where nothing
    is known of them.

    Samples may exceed full scale: models overshoot 1.0, and a take is kept as it came.
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
