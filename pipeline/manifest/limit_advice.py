"""What a person can do about a quality gate that closed: the manifest's key that moves it, and how far."""

from __future__ import annotations

import math

_KEYS = {
    "silence": "silence",
    "dc": "dc",
    "clipping": "clipping",
    "noise only": "noise",
    "tail noise": "tail_noise",
    "loop seam": "seam",
    "duplicate": "duplicates",
}
_UNITS = {"silence": " LUFS", "tail_noise": " dB"}
_AT_MOST_ONE = frozenset({"dc", "clipping", "noise", "duplicates"})


def loosened(gate: str, measured: float) -> str:
    """The manifest line under which a sound that ``measured`` so at ``gate`` passes.

    >>> loosened("noise only", 0.914)
    'quality: {noise: 0.92}'
    >>> loosened("silence", -63.2)
    'quality: {silence: -64 LUFS}'
    >>> loosened("wrong rate", 100.0)
    'quality: {gate: false}'
    """
    key = _KEYS.get(gate)
    if key is None:
        return "quality: {gate: false}"
    if key == "silence":
        return f"quality: {{silence: {math.floor(measured)} LUFS}}"
    limit = math.ceil(measured * 100 + 1e-9) / 100 if key in _AT_MOST_ONE else math.ceil(measured * 10) / 10
    limit = min(1.0, limit + 0.01 if key == "duplicates" else limit) if key in _AT_MOST_ONE else limit
    return f"quality: {{{key}: {limit:g}{_UNITS.get(key, '')}}}"
