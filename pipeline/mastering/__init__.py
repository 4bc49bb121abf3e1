"""Trim, loop, loudness and peak work: pure functions on ."""
