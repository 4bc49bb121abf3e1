"""The review commands: decisions on masters, from the terminal or from a file that a report exported."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import DEFAULT_OUTPUTS, AsJson, By, Outputs, version_or_latest
from flows.cli.output import command, counted, print_json, print_stderr, print_stdout
from flows.cli.report import register_review
from pipeline.catalog import Catalog, Filter, ReviewAction, ReviewEvent, Reviews, Version, overruled
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
        asset: Annotated[
            str, typer.Argument(help="An asset id, a name as it is listed (gravel_01), or a glob.")
        ],
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
        _tell(events, heard, as_json)

    run.__doc__ = _ACTIONS[action]
    return run


for _action in _ACTIONS:
    group.command(_action)(_deciding(_action))


def _tell(events: list[ReviewEvent], version: Version, as_json: bool) -> None:
    waiting = _waiting(version)
    if as_json:
        print_json({"version": version.number, "events": [_json(event, waiting) for event in events]})
        return
    for event in events:
        print_stdout(_line(event, waiting))
    print_stderr(f"{counted(len(events), 'master')} of version {version.number}")


def _waiting(version: Version | None) -> frozenset[str]:
    """Digests of the masters that wait in ``version`` beside approved ones."""
    rows = version.masters if version else ()
    return frozenset(row["waiting"]["master"] for row in rows if "waiting" in row)


@group.command("list")
@command
def list_events(
    asset: Annotated[str | None, typer.Argument(help="An asset id or a glob; default: all.")] = None,
    variation: Annotated[int | None, typer.Option("--variation", help="Only this variation.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Only this person's.")] = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """List every decision, in the order in which they came. What they add up to: catalog show --state approved."""
    catalog = Catalog(Store.open(outputs))
    of_person = [
        event
        for event in Reviews(catalog.store).events()
        if variation in (None, event.variation) and by in (None, event.by)
    ]
    found = of_person
    if asset is not None:
        found = [event for event in of_person if fnmatch.fnmatchcase(event.asset, asset)]
        found = found or [event for event in of_person if fnmatch.fnmatchcase(event.name, asset)]
    waiting = _waiting(catalog.latest())
    if as_json:
        print_json({"events": [_json(event, waiting) for event in found]})
        return
    for event in found:
        print_stdout(_line(event, waiting))
    print_stderr(counted(len(found), "review"))


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
    reviews, waiting = Reviews(catalog.store), _waiting(catalog.latest())
    added = reviews.add_new(decisions.events)
    replaced = overruled(reviews.events(), added)
    known = len(decisions.events) - len(added)
    if as_json:
        facts = {"version": decisions.version, "reviewer": decisions.reviewer, "known": known}
        told = [{"added": event.id, "replaced": _json(earlier, waiting)} for event, earlier in replaced]
        print_json({**facts, "added": [_json(event, waiting) for event in added], "replaced": told})
        return
    for event in added:
        print_stdout(_line(event, waiting))
    for event, earlier in replaced:
        print_stderr(
            f"note: this {event.action} of {event.name} counts from now and replaces {earlier.by}'s "
            f"{earlier.action} of {earlier.at}, though it was decided before, at {event.at}"
        )
    print_stderr(f"{counted(len(added), 'decision')} of {decisions.reviewer} added; there before: {known}")


def _json(event: ReviewEvent, waiting: frozenset[str]) -> dict[str, object]:
    return {"id": event.id, **asdict(event), "waiting": event.master in waiting}


def _line(event: ReviewEvent, waiting: frozenset[str]) -> str:
    mark = " (waiting)" if event.master in waiting else ""
    return f"{event.at}  {event.action:<8} {event.name}{mark}{str(event).removeprefix(event.name)}"
