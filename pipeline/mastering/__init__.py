"""Trim, loop, loudness and peak: pure functions on `Clip`.

The package itself imports nothing, so that a plan can read `CHAIN_VERSION` without numpy and scipy.
"""

CHAIN_VERSION = "8"
"""Version of mastering and delivery. It rises when the same takes and specs would give other bytes."""
