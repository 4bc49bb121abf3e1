"""What the tests of the manifest room have in common."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.manifest import Project

HEAD = "cuesmith: 1\nproject: game\n"
"""Two lines; what a test writes after them begins on line 3."""

Load = Callable[..., Project]
"""Text to a project."""
Complain = Callable[..., list[str]]
"""Text to the messages that it gives, one string a problem."""
