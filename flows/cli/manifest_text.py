"""The command catalog manifest: print the manifest of a version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import DEFAULT_OUTPUTS, AsJson, Outputs, version_or_latest
from flows.cli.output import command, print_json, print_stderr, print_stdout
from pipeline.catalog import Catalog
from pipeline.catalog.version import read_texts
from pipeline.errors import MachineError, UsageError
from pipeline.manifest.spec import ManifestText
from pipeline.store import Store


def register(group: typer.Typer) -> None:
    """Add the command to ``group``."""
    group.command("manifest")(manifest)


@command
def manifest(
    version: Annotated[int | None, typer.Option("--version", help="Default: the latest.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="Write the files to this folder instead of printing them."),
    ] = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Print the manifest that a version was built from, with every file that it includes.

    The command checks the files against the hash that the version records.
    """
    catalog = Catalog(Store.open(outputs))
    shown = version_or_latest(catalog, version, outputs)
    texts = read_texts(catalog.store, shown)
    if output is not None:
        for text in texts:
            _write(output, text)
    if as_json:
        files = [{"name": text.name, "text": text.data.decode("utf-8", "backslashreplace")} for text in texts]
        profile = shown.manifest["profile"]
        print_json({"version": shown.number, "profile": profile, "files": files})
    elif output is not None:
        for text in texts:
            print_stdout(f"wrote {(output / text.name).as_posix()}")
    else:
        for text in texts:
            if len(texts) > 1:
                print_stdout(f"# {text.name}")
            typer.echo(text.data.decode("utf-8", "backslashreplace"), nl=False)
    print_stderr(f"version {shown.number}, profile {shown.manifest['profile'] or 'none'}")


def _write(folder: Path, text: ManifestText) -> None:
    """Write a file inside ``folder``; never replace an existing file."""
    path = folder / text.name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"the manifest file {text.name!r} is outside {folder}; use --json to read it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(text.data)
    except FileExistsError:
        raise UsageError(f"{path} already exists; choose an empty folder: --output FOLDER") from None
    except OSError as error:
        raise MachineError(f"cannot write {path}: {error.strerror}; choose another --output") from error
