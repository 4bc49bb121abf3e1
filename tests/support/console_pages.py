"""Runs pages of the docs: files are written, commands run, and what a page shows is compared.

A page's blocks count in their order:

- ``console``: each ``$ `` line runs in the current folder; ``cd`` changes it. Lines below a command are its output,
  from both streams: ``…`` stands for any text in a line, and alone for any lines; several spaces count as one. A
  command without lines may print anything. The exit code is 0 unless the command ends with ``# exit code N``.
- ``yaml`` that begins with ``# PATH.yaml``: becomes that file; with ``# PATH.yaml, at the end`` it is added to it.
- ``diff`` that begins with ``# PATH.yaml``: its ``-`` and context lines are in the file once, and become its ``+`` and
  context lines.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w./-]+\.yaml)(, at the end)?\n")
_EXIT_CODE = re.compile(r"# exit code (\d+)$")


def has_commands(page: Path) -> bool:
    """Whether a page has commands to run."""
    return any(kind == "console" for kind, _ in BLOCK.findall(page.read_text(encoding="utf-8")))


def run_page(page: Path, folder: Path, variables: Mapping[str, str]) -> Path:
    """Do all that ``page`` shows, starting in ``folder``, with extra environment variables; return the last folder.

    Raises `AssertionError` with the command and what it printed if a command ends or prints otherwise.
    """
    for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "console":
            for command in _commands(text):
                folder = _run(command, folder, variables)
        elif kind in ("yaml", "diff") and (named := _FILE.match(text)):
            _edit(folder / named[1], kind, text[named.end() :], at_end=named[2] is not None)
    return folder


@dataclass(frozen=True)
class _Command:
    line: str
    shown: str
    """The output that the page shows; empty if it shows none."""


def _commands(block: str) -> Iterator[_Command]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, shown = part.partition("\n")
        yield _Command(line, shown.strip("\n"))


def _run(command: _Command, folder: Path, variables: Mapping[str, str]) -> Path:
    words = shlex.split(command.line, comments=True)
    if words[0] == "cd":
        return folder / words[1]
    assert words[0] == "cuesmith", command.line
    done = subprocess.run(
        [sys.executable, "-c", "from flows.cli import main; main()", *words[1:]],
        cwd=folder,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    code = _EXIT_CODE.search(command.line)
    assert done.returncode == (int(code[1]) if code else 0), f"{command.line}\n{done.stdout}"
    if command.shown:
        printed = "".join(f"{_spaced(line)}\n" for line in done.stdout.strip("\n").splitlines())
        assert _pattern(command.shown).fullmatch(printed), (
            f"{command.line}\n--- the page shows\n{command.shown}\n--- it printed\n{done.stdout}"
        )
    return folder


def _pattern(shown: str) -> re.Pattern[str]:
    lines = [
        r"(?:.*\n)*?" if line.strip() == "…" else re.escape(_spaced(line)).replace("…", ".*") + r"\n"
        for line in shown.splitlines()
    ]
    return re.compile("".join(lines))


def _spaced(line: str) -> str:
    return re.sub(" +", " ", line.rstrip())


def _edit(path: Path, kind: str, text: str, *, at_end: bool) -> None:
    if kind == "diff":
        before = "".join(line[1:] for line in text.splitlines(keepends=True) if line[0] != "+")
        after = "".join(line[1:] for line in text.splitlines(keepends=True) if line[0] != "-")
        present = path.read_text(encoding="utf-8")
        assert present.count(before) == 1, (
            f"{path.name} has these lines {present.count(before)} times:\n{before}"
        )
        text = present.replace(before, after)
    elif at_end:
        text = path.read_text(encoding="utf-8") + text
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
