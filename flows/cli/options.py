"""Options that several commands share: each declared once, with its text and its default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.catalog import Catalog, Version
from pipeline.errors import UsageError
from pipeline.store import check_utf8

DEFAULT_OUTPUTS = "outputs"
MANY_NAMES = 8
"""How many names a line lists before it counts the rest."""
_USUAL = ("cues.yaml", "cuesmith.yaml")

Manifest = Annotated[
    Path | None,
    typer.Argument(
        help="The asset manifest. Default: cues.yaml or cuesmith.yaml here, or the only .yaml in manifests/.",
        show_default=False,
    ),
]
Outputs = Annotated[
    str,
    typer.Option(
        "--outputs", "-o", envvar="CUESMITH_OUTPUTS", help="Folder or URL (s3://...) of store and catalog."
    ),
]
Profile = Annotated[
    str | None, typer.Option("--profile", "-p", help="Profile of the manifest, such as prototype or nightly.")
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", help="Only assets whose id matches this glob ('music/*'); may be given again."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


By = Annotated[
    str | None,
    typer.Option(
        "--by", help="Who decides. Default: git's user.name, else the user's name.", show_default=False
    ),
]


def version_or_latest(catalog: Catalog, number: int | None, outputs: str) -> Version:
    """Version ``number``, or the latest where None is given."""
    if number is not None:
        return catalog.read(number)
    latest = catalog.latest()
    if latest is None:
        raise UsageError(f"there is no catalog in {outputs}; make one: cuesmith build")
    return latest


def find_manifest(given: Path | None) -> Path:
    """The manifest that was given, or the one that stands where manifests usually do.

    Raises `UsageError` where there is none, several, or its path is not UTF-8.
    """
    found = _find_manifest(given)
    check_utf8(found.absolute(), "manifest")
    return found


def _find_manifest(given: Path | None) -> Path:
    if given is not None:
        try:
            if given.is_file():
                return given
            what = "not a file" if given.exists() else "no such manifest"
        except OSError as error:
            what = str(error.strerror)
        raise UsageError(f"{given}: {what}; give the path of a .yaml file, or make one: cuesmith init")
    for name in _USUAL:
        if Path(name).is_file():
            return Path(name)
    found = sorted(Path("manifests").glob("*.yaml"))
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(path.as_posix() for path in found)
        raise UsageError(f"there are several manifests: {names}; name the one to use")
    raise UsageError("no manifest here; name one, or make a project with: cuesmith init")
