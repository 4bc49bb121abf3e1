"""Commands that move channels: promote, catalog channels, catalog rollback."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.completion import channel_names, version_numbers
from flows.cli.options import DEFAULT_OUTPUTS, AsJson, By, Outputs, choices
from flows.cli.output import (
    command,
    counted,
    one_line,
    print_json,
    print_stderr,
    print_stdout,
    print_warning,
    shown_time,
)
from flows.cli.terminal import paint
from flows.cli.versions import check_versions, open_catalog
from pipeline.catalog import LATEST, ChannelMove
from pipeline.errors import UsageError
from pipeline.manifest.spec import GateReason
from pipeline.provenance.clock import now
from pipeline.release import PromotionResult, Refusal
from pipeline.release import promote as promote_version
from pipeline.release import rollback as roll_back
from pipeline.review import reviewer_name

_REFUSED = 1
_SHOWN = 5


@command
def promote_command(
    version: Annotated[int, typer.Argument(autocompletion=version_numbers, help="The version's number.")],
    channel: Annotated[
        str,
        typer.Option(
            "--channel",
            autocompletion=channel_names,
            help="The channel, such as release; a new name creates it.",
        ),
    ],
    override: Annotated[list[str] | None, choices("--override", GateReason, "Ignore this reason")] = None,
    because: Annotated[
        list[str] | None,
        typer.Option("--because", help="Why: one for all overrides, or one for each, in the same order."),
    ] = None,
    by: By = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Point a channel to a version if the release gate passes.

    The gate lists every reason against it. The exit code is 1 if a reason remains. The history of the channel records
    each override, who made it and why.
    """
    overrides = _overrides(override or [], because or [])
    catalog = open_catalog(outputs)
    check_versions(catalog, version)
    name = by or reviewer_name()
    verdict = promote_version(catalog, version, channel, at=now(), by=name, overrides=overrides)
    if as_json:
        found = {"refused": verdict.refused, "overridden": verdict.overridden, "allowed": verdict.allowed}
        listed = {name: [refusal.to_json() for refusal in refusals] for name, refusals in found.items()}
        warned = {"warnings": list(verdict.warnings)} if verdict.warnings else {}
        print_json({"version": version, "channel": channel, "promoted": verdict.moved, **listed, **warned})
    else:
        _print_verdict(verdict, version, channel)
    for code in sorted(overrides.keys() - {refusal.code for refusal in verdict.overridden}):
        print_stderr(f"--override {code} was not needed")
    if verdict.refused:
        raise typer.Exit(_REFUSED)


def channels(
    channel: Annotated[
        str | None, typer.Argument(autocompletion=channel_names, help="Show the history of this channel.")
    ] = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """List every channel and its version.

    With a name, show that channel and its history.
    """
    catalog = open_catalog(outputs)
    names = catalog.channels.names()
    if channel is not None and channel not in names:
        raise UsageError(f"unknown channel {channel!r}; available: {', '.join(names) or 'none'}")
    listed = [entry for name in names if channel in (None, name) and (entry := catalog.channel(name))]
    if as_json:
        print_json({"channels": listed})
        return
    for entry in listed:
        print_stdout(f"{entry['name']:<16} version {entry['version']}")
        for move in entry["history"] if channel else ():
            print_stdout(_move(move))
    if not listed:
        print_stderr(f"no channels in {outputs}; the first build creates latest: cuesmith build")


def rollback(
    channel: Annotated[
        str, typer.Option("--channel", autocompletion=channel_names, help="The channel to move back.")
    ] = LATEST,
    to: Annotated[
        int | None,
        typer.Option("--to", help="A version that it pointed to before. Default: the previous one."),
    ] = None,
    because: Annotated[str, typer.Option("--because", help="The reason; stored in the history.")] = "",
    by: By = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Point a channel back to an earlier version.

    If the channel is latest, the library then has the files of that version again.
    """
    catalog = open_catalog(outputs)
    moved = roll_back(catalog, channel, at=now(), by=by or reviewer_name(), to=to, because=because)
    if as_json:
        print_json({"channel": moved["name"], "version": moved["version"], "move": moved["history"][-1]})
    else:
        print_stdout(f"channel {moved['name']} points to version {moved['version']} again")


def _overrides(codes: list[str], because: list[str]) -> dict[str, str]:
    if because and not codes:
        raise UsageError("--because explains an override; add one: --override REASON")
    if len(because) == 1:
        because = because * len(codes)
    if len(because) != len(codes):
        raise UsageError(
            f"{len(codes)} --override but {len(because)} --because: give one for all, or one for each in the same order"
        )
    return dict(zip(codes, because, strict=True))


def _print_verdict(verdict: PromotionResult, version: int, channel: str) -> None:
    for warning in verdict.warnings:
        print_warning(one_line(warning))
    for refusal in verdict.allowed:
        masters = counted(len(refusal.masters), "master")
        print_stderr(f"{refusal.code}: {masters}: the manifest allows this on channel {channel}")
    for refusal in verdict.refused:
        print_stderr(_refusal(refusal))
    if verdict.refused:
        reasons = ", ".join(refusal.code for refusal in verdict.refused)
        print_stderr(f"version {version} was not promoted to {channel}: {reasons}")
    elif verdict.moved:
        print_stdout(f"channel {channel} points to version {version}")
    else:
        print_stdout(f"channel {channel} already points to version {version}")


def _refusal(refusal: Refusal) -> str:
    lines = [f"{paint(refusal.code, 'refused')}: {counted(len(refusal.masters), 'master')}: {refusal.what}"]
    lines += [f"  {name}" + (f"  {why}" if why else "") for name, why in refusal.masters[:_SHOWN]]
    if len(refusal.masters) > _SHOWN:
        lines.append(f"  and {len(refusal.masters) - _SHOWN} more (--json lists all)")
    return "\n".join(lines)


def _move(move: ChannelMove) -> str:
    why = f": {move['because']}" if "because" in move else ""
    lines = [
        f"  {shown_time(move['at'])}  {move.get('action', 'publish'):<9} version {move['version']} by {move['by']}{why}"
    ]
    if "allowed" in move:
        lines.append(f"    allowed by the manifest: {', '.join(move['allowed'])}")
    lines += [
        f"    override {item['reason']} ({counted(item['masters'], 'master')}) by {item['by']}: {item['because']}"
        for item in move.get("overrides", [])
    ]
    return "\n".join(lines)
