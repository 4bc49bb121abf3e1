"""Encoding masters into the files that a game ships."""
