"""Record a first session in a terminal for the docs: a build, a sound that fails its gate, its repair, a review.

    python scripts/record_terminal.py [--to docs/recordings]

Runs the real commands in a pseudo terminal on a new project, without network. Writes ``first-build.cast`` (asciicast
v2) and ``first-build.svg``. Times, dates and paths are replaced, so that two recordings of one release are equal.
"""

from __future__ import annotations

import argparse
import fcntl
import html
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pyte

COLUMNS, ROWS = 100, 28
NAME = "first-build"
_LONGEST = 2000
"""Lines that a session may have."""
_MORE = """\
cat >> cues.yaml <<END
  - id: ui/error
    kind: sfx
    prompt: a short error sound
    duration: 0.4s
    variations: 3
    quality: {duplicates: 0.9}
END"""


@dataclass(frozen=True, slots=True)
class Step:
    """What the user types, and how it must end."""

    typed: str
    exit_code: int = 0


SESSION = (
    Step("cuesmith init mygame"),
    Step("cd mygame"),
    Step("cuesmith build"),
    Step("# Three error sounds, which must not sound alike:"),
    Step(_MORE),
    Step("cuesmith build", exit_code=3),
    Step("cuesmith catalog quarantine"),
    Step("sed -i 's/duplicates: 0.9/duplicates: 0.99/' cues.yaml"),
    Step("cuesmith build"),
    Step("cuesmith review approve 'sfx/footstep/*' --by Ana -m 'good steps'"),
    Step("cuesmith review reroll ui/error_02 --by Ana -m 'too harsh'"),
    Step("cuesmith plan"),
    Step("cuesmith catalog history ui/error"),
)
_TIME = r"(?:\d+ h )?(?:\d+ min )?(?:\d+(?:\.\d)? s|\d+ min)"
_NORMAL = (
    (rf"reused in {_TIME}", "reused in 9.0 s"),
    (rf"estimate was {_TIME}, of which generating {_TIME}", "estimate was 9.5 s, of which generating 1.5 s"),
    (rf"generating took {_TIME}", "generating took 1.2 s"),
    (rf"about {_TIME}: generating {_TIME}", "about 7.5 s: generating 1.5 s"),
    (rf"mastering {_TIME}, Prefect", "mastering 0.1 s, Prefect"),
    (rf"(report |^ +){_TIME}$", r"\g<1>5.9 s"),
    (rf": {_TIME} of cpu", ": 1.5 s of cpu"),
    (rf"\d+% busy, idle for {_TIME}", "98% busy, idle for 0.0 s"),
    (r"(the last on|^ +)(\s*)\d{4}-\d\d-\d\d", r"\1\g<2>2026-01-31"),
    (r"just now|\d+ minutes? ago", "just now"),
)
"""What differs from recording to recording, and what stands for it."""


@dataclass(frozen=True, slots=True)
class Run:
    """Text of one look."""

    text: str
    colour: str = ""
    """A name of pyte, or six hexadecimal digits; empty for the default."""
    is_bold: bool = False


Line = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of the session, and how long after the line before it appears, in seconds."""

    line: Line
    after: float


def in_terminal(
    command: list[str],
    place: Path,
    environment: Mapping[str, str],
    size: tuple[int, int] = (COLUMNS, ROWS),
    on_output: Callable[[bytes], None] = lambda data: None,
) -> int:
    """Run ``command`` in a pseudo terminal of ``size`` (columns, rows); return its exit code."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    process = subprocess.Popen(
        command,
        cwd=place,
        env=dict(environment),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        while data := _read(ours):
            on_output(data)
    finally:
        os.close(ours)
    return process.wait()


def _read(descriptor: int) -> bytes:
    """What the terminal shows next; nothing once the program has closed it, which Linux reports as an error."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def record(steps: tuple[Step, ...], home: Path) -> list[Shown]:
    """Run ``steps`` in ``home``; return the lines of the session. Raises `RuntimeError` for an unexpected exit code."""
    environment = {
        **{name: value for name, value in os.environ.items() if name in ("LANG", "LC_ALL", "PYTHONPATH")},
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "TERM": "xterm",
        # The empty database of Prefect is kept between builds; without it the first one takes longer.
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
    }
    place, shown = home, []
    for step in steps:
        prompt = f"~/{place.relative_to(home)}".rstrip("/.")
        first, *more = step.typed.split("\n")
        shown.append(Shown((Run(f"{prompt} $ ", "green"), Run(first, is_bold=True)), 1.5))
        shown += [Shown((Run("> ", "green"), Run(line, is_bold=True)), 0.3) for line in more]
        if step.typed.startswith("cd "):
            place /= step.typed.removeprefix("cd ")
            continue
        screen = pyte.Screen(COLUMNS, _LONGEST)
        stream = pyte.ByteStream(screen)
        # On one CPU, every machine has the same workers.
        command = ["taskset", "--cpu-list", str(min(os.sched_getaffinity(0))), "bash", "-c", step.typed]
        code = in_terminal(command, place, environment, on_output=stream.feed)
        lines = [_normal(line, str(home)) for line in _lines_of(screen)]
        if code != step.exit_code:
            text = "\n".join("".join(run.text for run in line) for line in lines)
            raise RuntimeError(f"{step.typed!r} ended with {code}, not {step.exit_code}:\n{text}")
        shown += [Shown(line, 0.8 if number == 0 else 0.12) for number, line in enumerate(lines)]
    return shown


def _lines_of(screen: pyte.Screen) -> list[Line]:
    """The lines above the cursor, as runs of one look, without spaces at their ends."""
    lines: list[Line] = []
    for number in range(screen.cursor.y + (screen.cursor.x > 0)):
        row = screen.buffer[number]
        cells = [row[column] for column in range(screen.columns)]
        while cells and cells[-1].data == " ":
            cells.pop()
        looks = groupby(cells, key=lambda cell: (cell.fg, cell.bold))
        lines.append(
            tuple(
                Run("".join(cell.data for cell in own), "" if colour == "default" else colour, is_bold)
                for (colour, is_bold), own in looks
            )
        )
    return lines


def _normal(line: Line, home: str) -> Line:
    def replaced(text: str) -> str:
        text = text.replace(home, "~")
        for pattern, normal in _NORMAL:
            text = re.sub(pattern, normal, text)
        return text

    return tuple(Run(replaced(run.text), run.colour, run.is_bold) for run in line)


_SGR = {"black": 30, "red": 31, "green": 32, "brown": 33, "blue": 34, "magenta": 35, "cyan": 36, "white": 37}


def asciicast(shown: list[Shown]) -> str:
    """The session as asciicast v2 (https://docs.asciinema.org/manual/asciicast/v2/)."""
    header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "Cuesmith: a first build"}
    events, now = [], 0.0
    for line in shown:
        now += line.after
        events.append([round(now, 2), "o", "".join(map(_escaped, line.line)) + "\r\n"])
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in (header, *events))


def _escaped(run: Run) -> str:
    codes = ["1"] * run.is_bold
    if run.colour:
        base, is_bright = run.colour.removeprefix("bright"), run.colour.startswith("bright")
        codes.append(str(_SGR[base] + 60 * is_bright) if base in _SGR else _rgb(base))
    return f"\x1b[{';'.join(codes)}m{run.text}\x1b[0m" if codes else run.text


def _rgb(digits: str) -> str:
    return f"38;2;{int(digits[:2], 16)};{int(digits[2:4], 16)};{int(digits[4:], 16)}"


_CELL, _LINE, _MARGIN, _TOP = 8.4, 19, 14, 40
"""Of the picture, in pixels: width of a character, height of a line, margin, height of the title."""
_COLOURS = {
    **{"red": "#ff7b72", "green": "#7ee787", "brown": "#e3b341", "blue": "#79c0ff", "magenta": "#d2a8ff"},
    **{"cyan": "#76e3ea", "white": "#e6edf3", "black": "#6e7681", "brightblack": "#8b949e", "": "#e6edf3"},
}
_PAUSE_S = 5.0
"""How long the picture shows the end before it begins again."""


def picture(shown: list[Shown]) -> str:
    """The session as an animated SVG of one terminal; it stands still for readers who prefer no motion."""
    width, height = round(COLUMNS * _CELL + 2 * _MARGIN), _TOP + ROWS * _LINE + _MARGIN
    rows = "\n".join(
        f'<text y="{number * _LINE + 14}">{"".join(_spans(line.line))}</text>'
        for number, line in enumerate(shown)
    )
    total = sum(line.after for line in shown) + _PAUSE_S
    cover, scroll = _keyframes(shown, total)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">
<title>A terminal: cuesmith init, a build, a sound that fails its gate, its repair, a review</title>
<style>
text {{ font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre }}
.cover {{ transform: translateY({len(shown) * _LINE}px) }}
@media (prefers-reduced-motion: no-preference) {{
.cover {{ animation: cover {total:.1f}s step-end infinite }}
.scroll {{ animation: scroll {total:.1f}s step-end infinite }}
}}
@keyframes cover {{ {cover} }}
@keyframes scroll {{ {scroll} }}
</style>
<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>
<circle cx="20" cy="20" r="6" fill="#6e7681"/><circle cx="40" cy="20" r="6" fill="#6e7681"/>
<circle cx="60" cy="20" r="6" fill="#6e7681"/>
<clipPath id="screen"><rect y="-2" width="{width}" height="{ROWS * _LINE + 4}"/></clipPath>
<g transform="translate({_MARGIN} {_TOP})" clip-path="url(#screen)"><g class="scroll">
{rows}
<rect class="cover" x="-2" width="{width}" height="{(len(shown) + ROWS) * _LINE}" fill="#0d1117"/>
</g></g>
</svg>
"""


def _spans(line: Line) -> Iterator[str]:
    column = 0
    for run in line:
        if run.text.strip():
            place, length = round(column * _CELL, 1), round(len(run.text) * _CELL, 1)
            weight = ' font-weight="bold"' if run.is_bold else ""
            colour = _COLOURS.get(run.colour, f"#{run.colour}")
            yield (
                f'<tspan x="{place}" textLength="{length}" fill="{colour}"{weight}>{html.escape(run.text)}</tspan>'
            )
        column += len(run.text)


def _keyframes(shown: list[Shown], total: float) -> tuple[str, str]:
    """By time: how far down the cover is that hides the lines to come, and how far up the lines have moved."""
    cover, scroll, now = ["0% { transform: translateY(0px) }"], ["0% { transform: translateY(0px) }"], 0.0
    for number, line in enumerate(shown, 1):
        now += line.after
        at = f"{100 * now / total:.2f}%"
        cover.append(f"{at} {{ transform: translateY({number * _LINE}px) }}")
        if number > ROWS:
            scroll.append(f"{at} {{ transform: translateY({-(number - ROWS) * _LINE}px) }}")
    return " ".join(cover), " ".join(scroll)


def main() -> None:
    """Record the session and write both files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--to", type=Path, default=Path(__file__).parents[1] / "docs" / "recordings")
    to = parser.parse_args().to
    with tempfile.TemporaryDirectory(prefix="cs", dir="/tmp") as home:
        shown = record(SESSION, Path(home))
    to.mkdir(parents=True, exist_ok=True)
    (to / f"{NAME}.cast").write_text(asciicast(shown))
    (to / f"{NAME}.svg").write_text(picture(shown))
    print(f"wrote {to / NAME}.cast and .svg: {len(shown)} lines")


if __name__ == "__main__":
    main()
