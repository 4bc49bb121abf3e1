"""The export command: a version of the catalog as files for a game engine or an audio middleware."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.completion import channel_names, matching
from flows.cli.options import DEFAULT_OUTPUTS, AsJson, Outputs, find_manifest
from flows.cli.output import command, counted, one_line, print_json, print_stdout, print_warning
from flows.cli.versions import channel_version, open_catalog
from pipeline.catalog import LATEST
from pipeline.errors import UsageError
from pipeline.formats import TARGET_FORMATS
from pipeline.generators import engine_keys

TARGETS = tuple(TARGET_FORMATS)
"""Names of the targets. A test compares them with those of `pipeline.export`, which imports numpy."""


@command
def export_command(
    target: Annotated[
        str,
        typer.Argument(
            autocompletion=lambda incomplete: matching(TARGETS, incomplete),
            help=f"The engine or audio middleware: {', '.join(TARGETS)}.",
            show_default=False,
        ),
    ],
    to: Annotated[
        Path,
        typer.Option("--to", help="The folder to write, inside the project of the game.", show_default=False),
    ],
    channel: Annotated[
        str,
        typer.Option(
            "--channel",
            "-c",
            autocompletion=channel_names,
            help="A channel, such as release, or the number of a version.",
        ),
    ] = LATEST,
    profile: Annotated[
        str | None, typer.Option("--profile", "-p", help="An export profile in the manifest, such as mobile.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            help="The manifest with the export profiles. Default: as for build.",
            show_default=False,
        ),
    ] = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Write a version's sounds into a game project, ready to import.

    Besides the sounds it writes what the target needs (import settings, random pools, scripts) and pack.json, which
    describes every file. A second export changes only what differs, keeps all ids, and never changes or removes a
    file that no export wrote. Pages in docs/engines/ lead from a build to a sound that plays.
    """
    from pipeline.export.run import Encoding, export_version, find_target

    found, encoding = find_target(target), None
    if profile is not None:
        from pipeline.export.encoding import profile_files
        from pipeline.manifest.loader import export_profiles
        from pipeline.manifest.problems import list_names

        path = find_manifest(manifest)
        profiles = export_profiles(path, engine_keys)
        if profile not in profiles:
            known = list_names(profiles) if profiles else "none"
            raise UsageError(f"{path} has no export profile {profile!r}; available: {known}")
        encoding = Encoding(profiles[profile], profile_files)
    catalog = open_catalog(outputs)
    version = channel_version(catalog, channel)
    result = export_version(catalog, version, found, to, encoding)
    if as_json:
        print_json({**result.to_json(), "channel": channel})
        return
    changes, pack = result.changes, result.pack
    for row in pack.sizes:
        print_stdout(f"{row['bytes'] / 1e6:>10.2f} MB  {row['files']:>6} files  {one_line(row['folder'])}")
    print_stdout(
        f"version {pack.version} for {found.text} in {one_line(result.folder)}: "
        f"{counted(len(changes.written), 'file')} written, {len(changes.removed)} removed, "
        f"{changes.unchanged} unchanged; sounds {pack.size / 1e6:.2f} MB"
    )
    for name in changes.kept:
        print_warning(
            f"{one_line(name)} was edited and differs from the version; to get the version's, delete it"
        )
    if unsigned := sum(file.lost_signature for file in pack.files):
        print_warning(
            f"{counted(unsigned, 'file')} not signed, because the certificate that signed the version is not "
            "configured here; set CUESMITH_C2PA_CERT and CUESMITH_C2PA_KEY, then export again"
        )
    if pack.missing:
        print_warning(f"{counted(len(pack.missing), 'sound')} of the manifest missing; pack.json lists them")
