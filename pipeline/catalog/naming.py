"""Names of delivered files."""

from __future__ import annotations


def file_name(asset: str, variation: int, suffix: str) -> str:
    """Path of a rendition in the library: the asset's id, the variation in two digits or more, the suffix.

    >>> file_name("sfx/footstep/gravel", 3, ".wav")
    'sfx/footstep/gravel_03.wav'
    """
    return f"{asset}_{variation:02d}{suffix}"
