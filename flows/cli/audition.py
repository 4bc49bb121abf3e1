"""The command audition: one asset by several engines and models, side by side."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.completion import asset_ids
from flows.cli.options import DEFAULT_OUTPUTS, AsJson, Devices, Manifest, Outputs, Profile, find_manifest
from flows.cli.output import command, print_json, print_stderr, print_stdout, print_table
from flows.cli.terminal import Column, paint
from pipeline.build.devices import parse_devices
from pipeline.errors import UsageError

_SOME_FAILED, _ALL_FAILED = 3, 1
_MOST_CANDIDATES = 64


@command
def audition_command(
    manifest: Manifest = None,
    asset: Annotated[
        str, typer.Option("--asset", autocompletion=asset_ids, help="The id of the asset.")
    ] = "",
    engines: Annotated[
        str,
        typer.Option("--engines", help="What to compare: engine or engine:model, with commas between."),
    ] = "",
    candidates: Annotated[
        int, typer.Option("--candidates", help="Takes of each engine, each with a seed of its own.")
    ] = 1,
    profile: Profile = None,
    devices: Devices = "auto",
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Make one asset with several engines and models, to choose by ear.

    Writes a page that plays all takes at one loudness and shows the line for the manifest that selects the chosen one.
    The takes are in the store: a build with that line reuses them. Publishes nothing.
    """
    from pipeline.build.audition import AuditionRequest, Choice, prepare_audition, run_audition

    if not asset:
        raise UsageError("--asset is missing; give the id of an asset: --asset music/theme")
    if not engines.strip(" ,"):
        raise UsageError("--engines is missing; give engines to compare: --engines sketch,audiocraft")
    if not 1 <= candidates <= _MOST_CANDIDATES:
        raise UsageError(
            f"--candidates {candidates} is out of range; give a number from 1 to {_MOST_CANDIDATES}"
        )
    choices = tuple(dict.fromkeys(Choice.parse(text) for text in engines.strip(" ,").split(",")))
    request = AuditionRequest(find_manifest(manifest), outputs, profile, asset, choices, candidates)
    print_stderr(f"plan: {request.manifest}")
    result = run_audition(prepare_audition(request, print_stderr), parse_devices(devices))
    failed = [take for take in result["takes"] if take["failed"]]
    if as_json:
        print_json(result)
    else:
        for take in failed:
            print_stderr(f"{paint('failed')}: {take['label']}: {take['failed']}")
        rows = [
            (take["label"], take["line"].replace("\n", ", "))
            for take in result["takes"]
            if not take["failed"]
        ]
        print_table(rows, (Column(40), Column(gap=1)))
        print_stdout(f"listen and choose: {result['page']}")
        print_stderr(f"write the chosen line in {result['place']}, in the entry of {result['asset']}")
    if show and Path(result["page"]).is_file():
        webbrowser.open(Path(result["page"]).resolve().as_uri())
    if failed:
        raise typer.Exit(_ALL_FAILED if len(failed) == len(result["takes"]) else _SOME_FAILED)
