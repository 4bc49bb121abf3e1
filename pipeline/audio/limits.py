"""What a file may claim: limits that keep the reading of any file bounded in time and memory."""

from __future__ import annotations

LARGEST_FILE = 4 << 30
"""Bytes of the largest file that is read: what a WAV file can hold."""
MOST_SAMPLES = 1 << 30
"""Samples of all channels that are read: three hours of stereo at 48 kHz, 4 GiB in memory."""
LOWEST_HZ = 1_000
HIGHEST_HZ = 768_000


class UnreadableSoundError(Exception):
    """Why bytes cannot be read as a sound; `read_sound` adds the file's name and the remedy."""


def check_rate(rate: int) -> None:
    """Raise `UnreadableSoundError` for a rate that no sound has."""
    if not LOWEST_HZ <= rate <= HIGHEST_HZ:
        raise UnreadableSoundError(f"a rate of {rate} Hz is out of range ({LOWEST_HZ} to {HIGHEST_HZ} Hz)")


def check_size(samples: int) -> None:
    """Raise `UnreadableSoundError` for more ``samples`` (of all channels) than are read."""
    if samples > MOST_SAMPLES:
        raise UnreadableSoundError(f"longer than {MOST_SAMPLES} samples of all channels; cut it into parts")
