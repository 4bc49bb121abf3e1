"""The measure command: loudness, peaks and silence of any sound files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.options import AsJson
from flows.cli.output import command, one_line, print_json, print_stderr, print_stdout
from pipeline.errors import CuesmithError, UsageError

_COLUMNS = (
    ("seconds", "duration_s", "{:.3f}"),
    ("Hz", "sample_rate_hz", "{}"),
    ("ch", "channels", "{}"),
    ("LUFS", "integrated_lufs", "{:.1f}"),
    ("mom.max", "momentary_max_lufs", "{:.1f}"),
    ("short.max", "short_term_max_lufs", "{:.1f}"),
    ("LU range", "loudness_range_lu", "{:.1f}"),
    ("dBTP", "true_peak_dbtp", "{:.2f}"),
    ("dBFS", "sample_peak_dbfs", "{:.2f}"),
    ("DC", "dc_offset", "{:z.4f}"),
    ("silence", "leading_silence_s", "{:.3f}"),
    ("s after", "trailing_silence_s", "{:.3f}"),
)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("measure")(measure_command)


@command
def measure_command(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Sound files: wav, flac, ogg, opus, mp3, aiff; m4a, mov, mka and webm with ffmpeg."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Measure any sound files: loudness, true and sample peak, silence.

    Loudness follows BS.1770-5. "-" (null in JSON) means that there is no such value: silence has no loudness, a
    sound under 3 s no range. A file that cannot be read gives one line and stops no other. An incomplete or damaged
    file is measured as far as it goes and gives such a line too. The exit code is that of the first problem.
    """
    from pipeline.audio import read_sound
    from pipeline.mastering import measure

    measured: list[dict[str, Any]] = []
    problems: list[tuple[Path, CuesmithError]] = []
    for path in files:
        try:
            sound = read_sound(path)
            found = measure(sound.clip).to_json()
            del found["crest_db"]
            measured.append({"path": str(path), **found})
            if sound.problem is not None:
                problems.append((path, UsageError(sound.problem)))
        except CuesmithError as error:
            problems.append((path, error))
    if as_json:
        told = [{"path": str(path), "what": str(problem)} for path, problem in problems]
        print_json({"files": measured, "problems": told})
    elif measured:
        for line in _table(measured):
            print_stdout(line)
    for path, problem in problems:
        said = str(problem)
        print_stderr(
            typer.style("error: ", fg="red") + one_line(said if str(path) in said else f"{path}: {said}")
        )
    if problems:
        raise typer.Exit(_exit_code(problems[0][1]))


def _exit_code(error: CuesmithError) -> int:
    """A sound that cannot be measured is a wrong input, whatever it would be within a build."""
    return error.exit_code if error.exit_code > 1 else 2


def _table(measured: list[dict[str, Any]]) -> list[str]:
    rows = [["file", *(head for head, _, _ in _COLUMNS)]]
    for found in measured:
        cells = ("-" if found[key] is None else form.format(found[key]) for _, key, form in _COLUMNS)
        rows.append([one_line(found["path"]), *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
