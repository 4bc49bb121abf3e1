"""Commands for Content Credentials: show what the credentials of a file claim, and verify them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import AsJson
from flows.cli.output import Group, one_line, print_error, print_json, print_stderr, print_stdout, print_table
from flows.cli.terminal import Column, paint
from pipeline.credentials import PROVENANCE
from pipeline.errors import UsageError, VerificationError
from pipeline.formats import format_of

if TYPE_CHECKING:
    from pipeline.credentials.checking import Verdict
    from pipeline.credentials.watermark import WatermarkVerdict

Trust = Annotated[
    list[Path] | None,
    typer.Option("--trust", help="PEM file with root certificates to trust. Repeatable."),
]
group = Group(help="Read and check the Content Credentials (C2PA) of sound files.", no_args_is_help=True)


@group.command("show")
def show(
    file: Annotated[Path, typer.Argument(help="A sound file, or the .c2pa file next to it.")],
    trust: Trust = None,
    as_json: AsJson = False,
) -> None:
    """Show what the credentials of a file claim: how it was made, for which project, and who signed it.

    The exit code is 5 if the file has no credentials or was changed after it was signed.
    """
    from pipeline.credentials.checking import check

    verdict = check(file, trust or ())
    if as_json:
        print_json(verdict.to_json())
    else:
        _print_verdict(verdict)
        for note in verdict.notes:
            print_stdout(f"         note: {note}")
        rows = [(f"  {name}", one_line(value)) for name, value in _claims(verdict)]
        print_table(rows, (Column(24), Column(gap=1)))
    if not verdict.is_valid:
        raise typer.Exit(VerificationError.exit_code)


@group.command("verify")
def verify(
    files: Annotated[
        list[Path], typer.Argument(help="Sound files, or folders whose sound files are checked.")
    ],
    trust: Trust = None,
    watermark: Annotated[
        str | None,
        typer.Option(
            "--watermark",
            metavar="NAME",
            help="Look for this watermark, such as audioseal. Default: the one that the credentials name.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that nobody changed the files after signing: Trusted, Valid, Invalid or Missing, and why.

    Trusted: unchanged, and signed under a root from --trust or this machine's development root. Valid: unchanged, but
    signed by an unknown signer. The exit code is 5 if any file is Invalid or Missing.

    If the credentials name a watermark, the detector looks for it; the exit code is 5 if it is not there. --watermark
    looks for one in files without credentials too.
    """
    from pipeline.credentials.checking import check
    from pipeline.credentials.watermark import check_watermark

    verdicts: list[tuple[Verdict, WatermarkVerdict]] = []
    problems: list[tuple[Path, str]] = []
    for given in files:
        try:
            for path in _sounds(given):
                verdict = check(path, trust or ())
                verdicts.append((verdict, check_watermark(Path(verdict.path), verdict, watermark)))
        except UsageError as error:
            problems.append((given, str(error)))
    if as_json:
        listed = [{"path": str(path), "what": what} for path, what in problems]
        checked = [verdict.to_json() | {"watermark": mark.to_json()} for verdict, mark in verdicts]
        print_json({"files": checked, "problems": listed})
    else:
        for verdict, mark in verdicts:
            _print_verdict(verdict)
            if mark.state != "not asked":
                print_stdout(f"         watermark: {one_line(str(mark))}")
        for note in dict.fromkeys(note for verdict, _ in verdicts for note in verdict.notes):
            print_stderr(f"note: {note}")
    for _, what in problems:
        print_error(one_line(what))
    if not all(verdict.is_valid and not mark.is_failure for verdict, mark in verdicts):
        raise typer.Exit(VerificationError.exit_code)
    if problems:
        raise typer.Exit(UsageError.exit_code)


def _sounds(given: Path) -> list[Path]:
    """The file ``given``, or all sound files in the folder. Raises `UsageError` if that has none."""
    if not given.is_dir():
        return [given]
    found = sorted(path for path in given.rglob("*") if format_of(path.suffix) and path.is_file())
    if not found:
        raise UsageError(f"{given}: no sound file in this folder; give another")
    return found


def _print_verdict(verdict: Verdict) -> None:
    by = f" (signed by {verdict.signer})" if verdict.signer else ""
    print_table(
        [(paint(verdict.state), f"{one_line(verdict.path)}{one_line(by)}")], (Column(8), Column(gap=1))
    )
    for reason in verdict.reasons:
        print_stdout(f"         because: {one_line(reason)}")


def _claims(verdict: Verdict) -> list[tuple[str, str]]:
    """Return the names and values that the C2PA manifest claims, in its order."""
    if verdict.manifest is None:
        return []
    claims = [("title", str(verdict.manifest.get("title", "")))]
    for assertion in verdict.manifest["assertions"]:
        data = assertion["data"]
        if assertion["label"].startswith("c2pa.actions"):
            for action in data["actions"]:
                source = action.get("digitalSourceType", "").rpartition("/")[2]
                agent = action.get("softwareAgent", {})
                claims.append((action["action"], f"{source} by {agent.get('name', 'unknown')}".strip()))
        elif assertion["label"] == PROVENANCE:
            claims.extend((name, _text(value)) for name, value in data.items())
    return claims


def _text(value: object) -> str:
    """A value of a claim, a mapping as names and values."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in sorted(value.items()))
    return str(value)
