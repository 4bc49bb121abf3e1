"""The measure command: loudness, peaks and silence of sound files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from flows.cli.options import AsJson
from flows.cli.output import command, one_line, print_error, print_json, print_table
from flows.cli.terminal import Column
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
    """Measure sound files: loudness, true peak, sample peak, silence.

    Loudness follows BS.1770-5. "-" (null in JSON) means that it cannot be measured: silence has no loudness, a sound
    under 3 s has no range. If a file cannot be read, the command prints one line and measures the others. It measures
    an incomplete or damaged file up to the damage and prints a line too. The exit code is that of the first problem.
    """
    from pipeline.audio import read_sound
    from pipeline.mastering.measure import measure

    measured: list[dict[str, Any]] = []
    problems: list[_Problem] = []
    for path in files:
        try:
            sound = read_sound(path)
        except CuesmithError as error:
            problems.append(_Problem(path, error, str(error)))
            continue
        try:
            values = measure(sound.clip).to_json()
        except CuesmithError as error:
            problems.append(_Problem(path, error, f"{path}: {error}"))
            continue
        del values["crest_db"]
        measured.append({"path": str(path), **values})
        if sound.problem is not None:
            problems.append(_Problem(path, UsageError(sound.problem), sound.problem))
    if as_json:
        listed = [{"path": str(problem.path), "what": str(problem.error)} for problem in problems]
        print_json({"files": measured, "problems": listed})
    elif measured:
        rows, columns = _rows(measured)
        print_table(rows, columns)
    for problem in problems:
        print_error(one_line(problem.text))
    if problems:
        raise typer.Exit(_exit_code(problems[0].error))


class _Problem(NamedTuple):
    """A file that cannot be measured, or is damaged."""

    path: Path
    error: CuesmithError
    text: str
    """The message, with the path."""


def _exit_code(error: CuesmithError) -> int:
    """Return 2 (wrong input) for a sound that cannot be measured, even if a build would return 1."""
    return error.exit_code if error.exit_code > 1 else 2


def _rows(measured: list[dict[str, Any]]) -> tuple[list[list[str]], list[Column]]:
    """The rows of the table, with a head, and its columns."""
    rows = [["file", *(head for head, _, _ in _COLUMNS)]]
    for values in measured:
        cells = ("-" if values[key] is None else number.format(values[key]) for _, key, number in _COLUMNS)
        rows.append([one_line(values["path"]), *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return rows, [Column(widths[0]), *(Column(width, right=True) for width in widths[1:])]
