"""The review commands: review masters in the terminal, or import reviews from a report."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.completion import asset_ids
from flows.cli.options import (
    DEFAULT_OUTPUTS,
    AsJson,
    AssetFilter,
    By,
    Outputs,
    VariationFilter,
    VersionNumber,
    version_or_latest,
)
from flows.cli.output import command, counted, print_json, print_stderr, print_table, shown_time
from flows.cli.report import serve
from flows.cli.terminal import Column, paint
from pipeline.catalog import Catalog, Filter, ReviewAction, ReviewEvent, Reviews, Version, reversed_decisions
from pipeline.errors import UsageError
from pipeline.provenance.clock import now
from pipeline.review import Decision, decide, read_decisions, reviewer_name
from pipeline.store import Store

group = typer.Typer()

_ACTIONS: dict[ReviewAction, str] = {
    "approve": "Approve masters: builds never replace them.\n\nA new take waits until you approve it too.",
    "reject": "Reject the takes of masters: the next build makes others.\n\nThe new takes have another seed.",
    "reroll": "Request another take without judging this one.",
    "comment": "Comment on masters; needs -m.",
    "lock": "Lock variations: builds make nothing for them.\n\nUnlock them with: cuesmith review unlock",
    "unlock": "Remove a lock.",
}


_COLUMNS = (Column(), Column(8), Column(gap=1))

group.callback(invoke_without_command=True)(serve)


def _review_command(action: ReviewAction) -> Callable[..., None]:
    @command
    def run(
        asset: Annotated[
            str,
            typer.Argument(
                autocompletion=asset_ids, help="An asset id, a variation name (gravel_01), or a glob."
            ),
        ],
        variation: VariationFilter = None,
        by: By = None,
        comment: Annotated[
            str, typer.Option("--message", "-m", help="The reason; stored with the review.")
        ] = "",
        waiting: Annotated[
            bool, typer.Option("--waiting", help="Review the waiting take instead of the current master.")
        ] = False,
        version: VersionNumber = None,
        outputs: Outputs = DEFAULT_OUTPUTS,
        as_json: AsJson = False,
    ) -> None:
        catalog = Catalog(Store.open(outputs))
        reviews = Reviews(catalog.store)
        reviewed = version_or_latest(catalog, version, outputs)
        decision = Decision(action, by or reviewer_name(), now(), comment)
        events = decide(reviewed, Filter(asset, variation), decision, waiting=waiting)
        for event in events:
            reviews.add(event)
        _print_events(events, reviewed, as_json)

    run.__doc__ = _ACTIONS[action]
    return run


for _action in _ACTIONS:
    group.command(_action)(_review_command(_action))


def _print_events(events: list[ReviewEvent], version: Version, as_json: bool) -> None:
    waiting = _waiting(version)
    if as_json:
        print_json({"version": version.number, "events": [_json(event, waiting) for event in events]})
        return
    print_table([_row(event, waiting) for event in events], _COLUMNS)
    people = ", ".join(dict.fromkeys(event.by for event in events))
    decided = f"{counted(len(events), 'decision')} by {people}" if events else "no decisions"
    print_stderr(f"{decided} on version {version.number}. Next: cuesmith build")


def _waiting(version: Version | None) -> frozenset[str]:
    """Return the digests of masters that wait in ``version`` next to approved ones."""
    rows = version.masters if version else ()
    return frozenset(row["waiting"]["master"] for row in rows if "waiting" in row)


@group.command("list")
@command
def list_events(
    asset: AssetFilter = None,
    variation: VariationFilter = None,
    by: Annotated[str | None, typer.Option("--by", help="Only reviews by this person.")] = None,
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """List every review, oldest first.

    To see the resulting state: cuesmith catalog show --state approved
    """
    catalog = Catalog(Store.open(outputs))
    of_person = [
        event
        for event in Reviews(catalog.store).events()
        if variation in (None, event.variation) and by in (None, event.by)
    ]
    matching = of_person
    if asset is not None:
        matching = [event for event in of_person if fnmatch.fnmatchcase(event.asset, asset)]
        matching = matching or [event for event in of_person if fnmatch.fnmatchcase(event.name, asset)]
    waiting = _waiting(catalog.latest())
    if as_json:
        print_json({"events": [_json(event, waiting) for event in matching]})
        return
    print_table([_row(event, waiting) for event in matching], _COLUMNS)
    print_stderr(counted(len(matching), "review"))


@group.command("import")
@command
def import_decisions(
    file: Annotated[Path, typer.Argument(help="A file of reviews that a report exported.")],
    outputs: Outputs = DEFAULT_OUTPUTS,
    as_json: AsJson = False,
) -> None:
    """Import reviews that a report exported.

    Importing a file twice adds nothing.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot read {file}: {error.strerror}; give the path of the exported file"
        ) from error
    catalog = Catalog(Store.open(outputs))
    decisions = read_decisions(data, str(file), catalog.read)
    reviews, waiting = Reviews(catalog.store), _waiting(catalog.latest())
    added = reviews.add_new(decisions.events)
    replaced = reversed_decisions(reviews.events(), added)
    known = len(decisions.events) - len(added)
    if as_json:
        facts = {"version": decisions.version, "reviewer": decisions.reviewer, "known": known}
        pairs = [{"added": event.id, "replaced": _json(earlier, waiting)} for event, earlier in replaced]
        print_json({**facts, "added": [_json(event, waiting) for event in added], "replaced": pairs})
        return
    print_table([_row(event, waiting) for event in added], _COLUMNS)
    for event, earlier in replaced:
        print_stderr(
            f"note: this {event.action} of {event.name} ({event.at}) replaces {earlier.by}'s later {earlier.action} "
            f"({earlier.at}), because reviews count from their import"
        )
    print_stderr(f"{counted(len(added), 'decision')} of {decisions.reviewer} added; {known} already known")


def _json(event: ReviewEvent, waiting: frozenset[str]) -> dict[str, object]:
    return {"id": event.id, **asdict(event), "waiting": event.master in waiting}


def _row(event: ReviewEvent, waiting: frozenset[str]) -> tuple[str, ...]:
    mark = " (waiting)" if event.master in waiting else ""
    text = f"{event.name}{mark}{str(event).removeprefix(event.name)}"
    return shown_time(event.at), paint(event.action), text
