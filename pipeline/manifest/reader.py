"""Bytes of YAML to a tree of nodes, with lines, strictly and within limits.

The parser's events are put together here, without recursion: PyYAML's own composer uses the last of two equal keys,
follows tags, and fails on deep nesting. What a manifest does not need is refused: tags, merge keys, several
documents, keys that are not text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from pipeline.manifest.problems import Fault, MappingNode, Node, Report, ScalarNode, SequenceNode, quote

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LOOK = "check indentation, quotes, brackets and colons here and on the line above"


class _Rule(NamedTuple):
    """A complaint of the parser, and how a message says it."""

    part: str
    """Part of the parser's words."""
    what: str
    remedy: str
    at_start: bool = False
    """Whether the fault is where the construct begins."""


_SYNTAX = (
    _Rule("mapping values are not allowed", "unexpected ':'", "quote a text that contains ': '"),
    _Rule(
        "cannot start any token", "a value cannot start with this character", "quote it; indent with spaces"
    ),
    _Rule("tab character", "there is a tab in the indentation", "indent with spaces"),
    _Rule("unexpected end of stream", "the quote that opens here is never closed", "close it", at_start=True),
    _Rule("unexpected document", "the quote that opens here is never closed", "close it", at_start=True),
    _Rule("expected ':'", "a key has no ':' after it", "write key: value"),
    _Rule("escape", "an escape in this quoted text is not valid", "write \\\\ for a backslash, or use '...'"),
    _Rule(
        "hexdecimal", "an escape in this quoted text is not valid", "write \\\\ for a backslash, or use '...'"
    ),
    _Rule("tag", "a tag is not allowed", "remove it; the key says how a value is read"),
    _Rule("incompatible YAML", "this YAML version is not known", "remove the %YAML line"),
    _Rule("<document start>", "a line above ends the document", "remove the line with % or ..."),
    _Rule("scanning an a", "a value cannot start with this character", "quote it"),
    _Rule("block scalar", "there is text after | or >", "begin it on the next line, or quote it"),
    _Rule(
        "sequence entries are not allowed",
        "unexpected '- '",
        "begin a list on the next line; quote a text that starts with '- '",
    ),
    _Rule("keys are not allowed", "unexpected '? '", "quote it"),
    _Rule("parsing a flow node", "the file ends within brackets", "close them"),
    _Rule("while parsing a flow", "the bracket that opens here is never closed", "close it", at_start=True),
    _Rule(
        "while parsing a block",
        "the indentation of this line does not fit the lines above",
        "indent it as they are",
    ),
)


class Stop(Exception):
    """The file cannot be read from here on."""

    def __init__(self, line: int, fault: Fault) -> None:
        super().__init__(fault.what)
        self.line = line
        self.fault = fault


def parse_events(text: str) -> Iterator[Any]:
    """The parser's events. Raises `Stop` at a syntax error."""
    line = 1
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            line = event.start_mark.line + 1 if event.start_mark else line
            yield event
    except yaml.MarkedYAMLError as error:
        raise _refusal(error, text) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise Stop(line, Fault("this is not YAML", _LOOK)) from error


def _refusal(error: yaml.MarkedYAMLError, text: str) -> Stop:
    """The parser's complaint in our words."""
    complaint = f"{error.context or ''} {error.problem or ''}"
    here, began = error.problem_mark, error.context_mark
    for rule in (*_by_surroundings(error, text), *_SYNTAX):
        if rule.part in complaint:
            mark = (began or here) if rule.at_start else (here or began)
            return Stop(mark.line + 1 if mark else 1, Fault(rule.what, rule.remedy))
    return Stop(here.line + 1 if here else 1, Fault(f"this is not YAML: {error.problem}", _LOOK))


def _by_surroundings(error: yaml.MarkedYAMLError, text: str) -> Iterator[_Rule]:
    """Rules that depend on the text before and after the place of the complaint."""
    if error.problem_mark is None:
        return
    before, after = text[: error.problem_mark.index], text[error.problem_mark.index :]
    line, rest = re.split("[\r\n]", before)[-1], re.split("[\r\n]", after, maxsplit=1)[0].strip()
    if after.startswith("\t"):
        yield _Rule("cannot start any token", "there is a tab in the indentation", "indent with spaces")
    if after.strip():
        shown, began = quote(after[0]), error.context_mark
        yield _Rule("parsing a flow node", f"there is no value before {shown}", "write one, or quote a text")
        opened = f" opened on line {began.line + 1}" if began else ""
        what = f"a ',' or the end of the bracket{opened} is missing before {shown}"
        yield _Rule(
            "while parsing a flow", what, "write it, or quote a text that contains ',', ': ' or brackets"
        )
    if line.strip() and rest:
        what = f"unexpected {quote(rest)} after the end of a value"
        yield _Rule("while parsing a block", what, "quote the whole value, or close a quote left open above")
    if re.fullmatch(" *[A-Za-z_]+", line):
        remedy = "indent a key as those above; quote a text that contains ': '"
        yield _Rule("mapping values are not allowed", "unexpected ':'", remedy)


MAX_BYTES = 16 * 2**20
MAX_NODES = 2_000_000
MAX_KEYS = 10_000
"""Keys of one mapping."""
MAX_DEPTH = 32
MAX_ALIASED = 100_000
"""Nodes that all aliases together may expand to."""

_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_COMMENT = re.compile(r"[ \t]+(#[^\r\n]*)")
_CONFLICT = re.compile(r"^(<{7}|>{7}|={7}|\|{7})(?: .*)?\r?$", re.MULTILINE)
"""A line of git's conflict markers."""
_UNDEFINED = Fault("the alias has no anchor before it", "define it with &name above, or write the value out")


def read_document(data: bytes, report: Report) -> MappingNode | None:
    """The mapping in ``data``; None if there is none. Problems go to ``report``."""
    try:
        root = _composed(_decode(data), report)
    except Stop as stop:
        report.add(stop.line, "", stop.fault)
        return None
    if root is None:
        report.add(1, "", Fault("the file is empty", "start with the line cuesmith: 1"))
    elif not isinstance(root, MappingNode):
        report.add(root.line, "", Fault("the file is not a mapping", "start with the line cuesmith: 1"))
    else:
        return root
    return None


def _composed(text: str, report: Report) -> Node | None:
    """The root of ``text``. Raises `Stop`, with git's conflict markers as the reason where there are any."""
    markers = list(_CONFLICT.finditer(text))
    if {"<", ">"} <= {marker[1][0] for marker in markers}:
        raise _unmerged(text, markers[0])
    try:
        return _Composer(report).compose(text)
    except Stop as stop:
        raise (_unmerged(text, markers[0]) if markers else stop) from stop


def _unmerged(text: str, marker: re.Match[str]) -> Stop:
    what = f"a conflict marker of git ({marker[1]}) is left from a merge"
    remedy = "keep the lines that you want, and delete every line that starts with <<<<<<<, |||||||, ======= or >>>>>>>"
    return Stop(text.count("\n", 0, marker.start()) + 1, Fault(what, remedy))


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise Stop(
            1, Fault(f"the file is larger than {MAX_BYTES >> 20} MiB", "split it into several manifests")
        )
    other = _other_encoding(data)
    if other:
        raise Stop(1, Fault(f"the file is {other}", "save it as UTF-8"))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Stop(line, Fault("the text is not UTF-8 from here on", "save the file as UTF-8")) from error
    text = text.removeprefix("\ufeff")
    odd = _ODD.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        raise Stop(line, Fault(f"character {quote(odd[0])} is not allowed", "remove it"))
    return text


def _other_encoding(data: bytes) -> str:
    """UTF-16 or UTF-32, by its mark or by the zero bytes that plain letters have there; else empty."""
    head = data[:4]
    if b"\0\0" in head:
        return "UTF-32"
    return "UTF-16" if b"\0" in head or head[:2] in (b"\xff\xfe", b"\xfe\xff") else ""


@dataclass(slots=True)
class _Frame:
    """An open collection, and in a mapping the key whose value comes next."""

    node: SequenceNode | MappingNode
    awaits_key: bool = True
    key: str | None = None


class _Composer:
    """Makes a tree from the events of one document."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._open: list[_Frame] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None
        self._nodes = 0
        self._aliased = 0

    def compose(self, text: str) -> Node | None:
        """The root of the only document in ``text``."""
        documents = 0
        for event in parse_events(text):
            kind = event.__class__
            if kind is yaml.ScalarEvent:
                comment = _comment_after(text, event) if not event.style else ""
                self._begin(
                    ScalarNode(event.value, not event.style, event.start_mark.line + 1, comment), event
                )
            elif kind is yaml.MappingStartEvent:
                self._enter(MappingNode(event.start_mark.line + 1), event)
            elif kind is yaml.SequenceStartEvent:
                self._enter(SequenceNode(event.start_mark.line + 1), event)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._open.pop()
            elif kind is yaml.AliasEvent:
                self._attach(self._aliased_node(event), event.start_mark.line + 1)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    fault = Fault("a second document begins", "keep one document a file; remove ---")
                    raise Stop(event.start_mark.line + 1, fault)
        return self._root

    def _enter(self, node: SequenceNode | MappingNode, event: Any) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise Stop(node.line, _too_deep())
        self._begin(node, event)
        self._open.append(_Frame(node))

    def _begin(self, node: Node, event: Any) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise Stop(node.line, Fault(f"the file has more than {MAX_NODES:,} values", "split it"))
        if event.tag is not None:
            shown = event.tag.replace("tag:yaml.org,2002:", "!!")
            fault = Fault(f"tag {quote(shown)} is not allowed", "remove it; the key says how a value is read")
            self._report.add(node.line, "", fault)
        self._attach(node, node.line)
        if event.anchor is not None:
            self._anchors[event.anchor] = node

    def _attach(self, node: Node | None, line: int) -> None:
        """Add ``node`` to the open collection; None takes its place and adds nothing."""
        if not self._open:
            self._root = node
            return
        frame = self._open[-1]
        parent = frame.node
        if isinstance(parent, SequenceNode):
            parent.items.extend([node] if node else [])
        elif frame.awaits_key:
            frame.key = self._key(parent, node, line)
            frame.awaits_key = False
        else:
            if frame.key is not None and node is not None:
                parent.items[frame.key] = node
            frame.awaits_key = True

    def _key(self, parent: MappingNode, node: Node | None, line: int) -> str | None:
        """The text of a key; None if its pair is left out."""
        if node is None:
            return None
        if not isinstance(node, ScalarNode) or (node.plain and not node.text):
            self._report.add(line, "", Fault("a key is not text", "write key: value"))
        elif node.plain and node.text == "<<":
            remedy = "put what assets share into defaults or a profile"
            self._report.add(line, "", Fault("merge keys (<<) are not part of the language", remedy))
        elif node.text in parent.key_lines:
            first = parent.key_lines[node.text]
            what = f"duplicate key {quote(node.text)}, first on line {first}"
            self._report.add(line, "", Fault(what, "keep one of the two"))
        else:
            if len(parent.key_lines) >= MAX_KEYS:
                raise Stop(
                    line, Fault(f"a mapping has more than {MAX_KEYS:,} keys", "write assets as a list")
                )
            parent.key_lines[node.text] = line
            return node.text
        return None

    def _aliased_node(self, event: Any) -> Node | None:
        """The node of an alias; None for an alias that is not valid, which is reported."""
        line = event.start_mark.line + 1
        node = self._anchors.get(event.anchor)
        if node is None:
            self._report.add(line, "", _UNDEFINED)
            return None
        if any(frame.node is node for frame in self._open):
            self._report.add(line, "", Fault(f"alias *{event.anchor} contains itself", "write it out"))
            return None
        weight, height = _measure(node, MAX_ALIASED - self._aliased)
        self._aliased += weight
        if self._aliased > MAX_ALIASED:
            what = f"aliases expand to more than {MAX_ALIASED:,} values"
            raise Stop(line, Fault(what, "use defaults or for_each in place of aliases"))
        if len(self._open) + height > MAX_DEPTH:
            raise Stop(line, _too_deep())
        return node


def _comment_after(text: str, event: Any) -> str:
    """The comment on the line on which a plain value ends."""
    end = event.end_mark.index
    if text[end : end + 1] not in (" ", "\t"):
        return ""
    comment = _COMMENT.match(text, end)
    return comment[1].rstrip() if comment else ""


def _too_deep() -> Fault:
    return Fault(
        f"nested more than {MAX_DEPTH} levels deep", "a manifest needs six levels; check the brackets"
    )


def _measure(node: Node, limit: int) -> tuple[int, int]:
    """Number of nodes in ``node`` and depth of its collections; counting ends soon after ``limit``."""
    weight = height = 0
    pending = [(node, 0)]
    while pending and weight <= limit:
        current, depth = pending.pop()
        weight += 1
        if isinstance(current, ScalarNode):
            height = max(height, depth)
            continue
        height = max(height, depth + 1)
        inner = current.items if isinstance(current, SequenceNode) else current.items.values()
        pending.extend((item, depth + 1) for item in inner)
    return weight, height
