"""Options that several commands share, each with its help and default."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.cli.completion import asset_ids, manifests, matching, version_numbers
from pipeline.errors import UsageError
from pipeline.texts import check_utf8

DEFAULT_OUTPUTS = "outputs"
MANY_NAMES = 8
"""A line lists at most this many names, then counts the rest."""
_DEFAULT_MANIFESTS = ("cues.yaml", "cuesmith.yaml")

Manifest = Annotated[
    Path | None,
    typer.Argument(
        autocompletion=manifests,
        help="The manifest. Default: cues.yaml or cuesmith.yaml in this folder, or the only .yaml in manifests/.",
        show_default=False,
    ),
]
Outputs = Annotated[
    str,
    typer.Option(
        "--outputs",
        "-o",
        envvar="CUESMITH_OUTPUTS",
        help="Folder or URL (s3://...) of the store and the catalog.",
    ),
]
Profile = Annotated[
    str | None, typer.Option("--profile", "-p", help="Profile in the manifest, such as prototype or nightly.")
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        autocompletion=asset_ids,
        help="Only assets whose id matches this glob ('music/*'). Repeatable.",
    ),
]
Devices = Annotated[
    str,
    typer.Option(
        "--devices",
        "-d",
        help="Devices of the workers: auto, cpu, cpu:4 (four workers), cuda:0,cuda:1 or mps.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
_ASSET_HELP = "An asset id, a name as the lists print it (sfx/footstep/gravel_01), or a glob."
Asset = Annotated[str, typer.Argument(autocompletion=asset_ids, help=_ASSET_HELP)]
AssetFilter = Annotated[
    str | None, typer.Argument(autocompletion=asset_ids, help=f"{_ASSET_HELP} Default: all.")
]
VariationFilter = Annotated[
    int | None, typer.Option("--variation", help="Only this variation. Default: all.")
]
VersionNumber = Annotated[
    int | None,
    typer.Option("--version", autocompletion=version_numbers, help="Catalog version. Default: the latest."),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by", help="Your name. Default: git's user.name, else your login name.", show_default=False
    ),
]
RefreshModels = Annotated[
    bool,
    typer.Option(
        "--refresh-models",
        help="Use the newest revisions of published models. Default: those that the catalog has.",
    ),
]
JUNIT_FILE = Path("cuesmith-junit.xml")

Ci = Annotated[
    bool,
    typer.Option(
        "--ci", help="Write what CI shows: in GitHub Actions, annotations on the manifest and a summary."
    ),
]
Summary = Annotated[
    Path | None,
    typer.Option("--summary", help="Write a summary in Markdown, short enough for a comment, to this file."),
]
Junit = Annotated[
    Path | None,
    typer.Option("--junit", help=f"Write a JUnit report to this file; with --ci by default {JUNIT_FILE}."),
]


def choices(name: str, known: Collection[str], text: str) -> Any:
    """A repeatable option whose values are ``known``."""
    return typer.Option(
        name,
        autocompletion=lambda incomplete: matching(known, incomplete),
        help=f"{text}: {', '.join(known)}. Repeatable.",
    )


def find_manifest(path: Path | None) -> Path:
    """Return the given manifest, or the one at a default place.

    Raises `UsageError` if there is none, if there are several, or if its path is not UTF-8.
    """
    manifest = _find_manifest(path)
    check_utf8(manifest.absolute(), "manifest")
    return manifest


def _find_manifest(path: Path | None) -> Path:
    if path is not None:
        try:
            if path.is_file():
                return path
            reason = "not a file" if path.exists() else "no such manifest"
        except OSError as error:
            reason = str(error.strerror)
        raise UsageError(f"{path}: {reason}; give the path of a .yaml file, or create one: cuesmith init")
    for name in _DEFAULT_MANIFESTS:
        if Path(name).is_file():
            return Path(name)
    manifests = sorted(Path("manifests").glob("*.yaml"))
    if len(manifests) == 1:
        return manifests[0]
    if manifests:
        names = ", ".join(path.as_posix() for path in manifests)
        raise UsageError(f"several manifests: {names}; give the path of one")
    raise UsageError("no manifest in this folder; give its path, or create a project: cuesmith init")
