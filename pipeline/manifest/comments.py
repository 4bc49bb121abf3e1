"""Texts that YAML ends at `` #``: what follows is a comment, which a person may have meant as part of the text."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.manifest.problems import Fault, Location, MappingNode, Node, Report, ScalarNode, dotted, quote

_TEXTS = frozenset({"id", "prompt", "tags", "for_each", "ucs", "naming", "overrides", "was"})
"""Keys of an asset under which texts stand."""
_REMEDY = "put quotes around the whole text, or write the comment on a line of its own"


def warn_of_comments(asset: MappingNode, report: Report, base: Location) -> None:
    """Warn of every text of ``asset`` that a comment may have cut short.

    After a prompt every comment counts, after other texts one like ``#2``, which has no space after its ``#``.
    """
    for key in asset.items.keys() & _TEXTS:
        for location, scalar in _scalars(asset.items[key], (key,)):
            comment = scalar.comment
            if location[-1] == "prompt" or comment[1:2].strip():
                fault = Fault(f"{quote(comment)} is a comment and no part of {quote(scalar.text)}", _REMEDY)
                report.warn(scalar.line, dotted(base + location), fault)


def _scalars(node: Node, location: Location) -> Iterator[tuple[Location, ScalarNode]]:
    """Every value under ``node`` that a comment follows, with its place."""
    if isinstance(node, ScalarNode):
        if node.comment:
            yield location, node
    elif isinstance(node, MappingNode):
        for key, item in node.items.items():
            yield from _scalars(item, (*location, key))
    else:
        for place, item in enumerate(node.items):
            yield from _scalars(item, (*location, place))
