"""Versions, channels, reviews and differences between versions."""
