"""The review commands: decisions on masters, from the terminal or from a file that a report exported."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.answers import answer, answer_json, command, counted, remark
from flows.cli.options import DEFAULT_OUTPUTS, AsJson, By, Outputs, version_or_latest
from flows.cli.reporting import register_review
from pipeline.catalog import Catalog, Filter, ReviewAction, ReviewEvent, Reviews
from pipeline.errors import UsageError
from pipeline.provenance.facts import now
from pipeline.review import decide, read_decisions, reviewer_name
from pipeline.store import Store

group = typer.Typer()

_ACTIONS: dict[ReviewAction, str] = {
    "approve": "Approve masters: a build never replaces them; a new take waits until it is approved.",
    "reject": "Reject masters' takes: the next build rolls them again with another seed.",
    "reroll": "Ask for another take, without a verdict on this one.",
    "comment": "Say something about masters; needs -m.",
    "lock": "Lock variations: nothing is made for them until they are unlocked.",
    "unlock": "Take a lock back.",
}


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(group, name="review")


register_review(group)


def _deciding(action: ReviewAction) -> Callable[..., None]:
    @command
    def run(
        asset: Annotated[str, typer.Argument(help="An asset id or a glob, such as 'sfx/footstep/*'.")],
        variation: Annotated[
            int | None, typer.Option("--variation", help="Only this variation; default: all.")
        ] = None,
        by: By = None,
        comment: Annotated[str, typer.Option("--message", "-m", help="Why; kept with the decision.")] = "",
        waiting: Annotated[
            bool, typer.Option("--waiting", help="The take that waits, not the master that stands.")
        ] = False,
        version: Annotated[int | None, typer.Option("--version", help="Default: the latest.")] = None,
        outputs: Outputs = DEFAULT_OUTPUTS,
        as_json: AsJson = False,
    ) -> None:
        catalog = Catalog(Store.open(outputs))
        reviews = Reviews(catalog.store)
        heard = version_or_latest(catalog, version, outputs)
        events = decide(
            heard,
            Filter(asset, variation),
            action,
            by=by or reviewer_name(),
            at=now(),
            comment=comment,
            waiting=waiting,
        )
        for event in events:
            reviews.add(event)
        _tell(events, heard.number, as_json)

    run.__doc__ = _ACTIONS[action]
    return run


for _action in _ACTIONS:
    group.command(_action)(_deciding(_action))


def _tell(events: list[ReviewEvent], version: int, as_json: bool) -> None:
    if as_json:
        answer_json({"version": version, "events": [_json(event) for event in events]})
        return
    for event in events:
        answer(_line(event))
    remark(f"{counted(len(events), 'master')} of version {version}")


@group.command("list")
@command
def list_events(
    asset: Annotated[str | None, typer.Argument(help="An asset id or a glob; default: all.")] = None,
    variation: Annotated[int | None, typer.Option("--variation", help="Only this variation.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Only this person's.")] = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """List every decision, oldest first. What they add up to: catalog show --state approved."""
    found = [
        event
        for event in Reviews(Store.open(outputs)).events()
        if (asset is None or fnmatch.fnmatchcase(event.asset, asset))
        and variation in (None, event.variation)
        and by in (None, event.by)
    ]
    found.sort(key=lambda event: event.moment)
    if as_json:
        answer_json({"events": [_json(event) for event in found]})
        return
    for event in found:
        answer(_line(event))
    remark(counted(len(found), "review"))


@group.command("import")
@command
def import_decisions(
    file: Annotated[Path, typer.Argument(help="A file of decisions that a report exported.")],
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Take in decisions that a static report exported; bringing a file again adds nothing."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{file}: cannot be read: {error.strerror}; name the file that was exported"
        ) from error
    catalog = Catalog(Store.open(outputs))
    decisions = read_decisions(data, str(file), catalog.read)
    added = Reviews(catalog.store).add_new(decisions.events)
    known = len(decisions.events) - len(added)
    if as_json:
        facts = {"version": decisions.version, "reviewer": decisions.reviewer, "known": known}
        answer_json({**facts, "added": [_json(event) for event in added]})
        return
    for event in added:
        answer(_line(event))
    remark(f"{counted(len(added), 'decision')} of {decisions.reviewer} added; there before: {known}")


def _json(event: ReviewEvent) -> dict[str, object]:
    return {"id": event.id, **asdict(event)}


def _line(event: ReviewEvent) -> str:
    return f"{event.at}  {event.action:<8} {event}"
