"""The review commands: review masters in the terminal, or import reviews from a report."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import (
    DEFAULT_OUTPUTS,
    MANY_NAMES,
    AsJson,
    Asset,
    AssetFilter,
    By,
    Outputs,
    VariationFilter,
    VersionNumber,
)
from flows.cli.output import Group, counted, print_json, print_stderr, print_table, print_warning, shown_time
from flows.cli.report import serve
from flows.cli.terminal import Column, paint
from flows.cli.versions import open_catalog, open_version
from pipeline.catalog import (
    Filter,
    ReviewAction,
    ReviewEvent,
    Reviews,
    Version,
    new_events,
    reversed_decisions,
)
from pipeline.errors import UsageError
from pipeline.manifest.problems import list_names
from pipeline.plan import recorded_lock
from pipeline.plan.values import LOCKED_IN_MANIFEST
from pipeline.provenance import name_of
from pipeline.provenance.clock import now
from pipeline.review import Decision, Decisions, decide, read_decisions, reviewer_name
from pipeline.review.checks import Unseen, lock_fault, refuse_locked, replaced_since, split_locked

group = Group()

_SOME_FAILED = 3

_ACTIONS: dict[ReviewAction, str] = {
    "approve": "Approve masters: builds never replace them.\n\nA new take waits until you approve it too.",
    "reject": "Reject the takes of masters: the next build makes others.\n\nThe new takes have another seed.",
    "reroll": "Request another take without judging this one.",
    "comment": "Comment on masters; needs -m.\n\n"
    "To comment on a moment, begin with it: -m '[1.250 s] too loud'. The report marks it on the waveform.",
    "lock": "Lock variations: builds make nothing for them.\n\nUnlock them with: cuesmith review unlock",
    "unlock": "Remove a lock.",
    "clear": "Make masters unreviewed again: ends an approval, a rejection or a re-roll.\n\nLocks and comments stay.",
}


_COLUMNS = (Column(), Column(8), Column(gap=1))

group.callback(invoke_without_command=True)(serve)


def _review_command(action: ReviewAction) -> Callable[..., None]:
    def run(
        asset: Asset,
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
        catalog, reviewed = open_version(outputs, version)
        reviews = Reviews(catalog.store)
        decision = Decision(action, by or reviewer_name(), now(), comment)
        events = decide(reviewed, Filter(asset, variation), decision, waiting=waiting)

        def check(known: tuple[ReviewEvent, ...]) -> list[ReviewEvent]:
            refuse_locked(known, events)
            return events

        reviews.add_after(check)
        _print_events(events, reviewed, as_json)
        _note_manifest_locks(events, reviewed)

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


def _note_manifest_locks(events: list[ReviewEvent], version: Version) -> None:
    """Say which masters builds keep all the same, because the manifest locks them."""
    replaced = {event.master for event in events if event.action in ("reject", "reroll")}
    names = [
        name_of(row)
        for row in version.masters
        if row["master"] in replaced and recorded_lock(row.get("reason", "")) == LOCKED_IN_MANIFEST
    ]
    if names:
        print_warning(
            f"locked in the manifest, so builds keep: {list_names(names, limit=MANY_NAMES)}; remove lock: true there"
        )


def _waiting(version: Version | None) -> frozenset[str]:
    """Return the digests of masters that wait in ``version`` next to approved ones."""
    rows = version.masters if version else ()
    return frozenset(row["waiting"]["master"] for row in rows if "waiting" in row)


@group.command("list")
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
    catalog = open_catalog(outputs)
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
    catalog = open_catalog(outputs)
    decisions = read_decisions(data, str(file), catalog.read)
    latest = catalog.latest()
    reviews, done = Reviews(catalog.store), _Import(decisions, _waiting(latest))

    def check(known: tuple[ReviewEvent, ...]) -> list[ReviewEvent]:
        allowed, refused = split_locked(known, new_events(decisions.events, known))
        done.refused.extend(refused)
        done.outdated.extend(replaced_since(latest, known, allowed))
        return allowed

    done.added.extend(reviews.add_after(check))
    done.replaced.extend(reversed_decisions(reviews.events(), done.added))
    if as_json:
        print_json(done.to_json())
    else:
        done.print()
    if done.refused:
        raise typer.Exit(_SOME_FAILED)


@dataclass(frozen=True)
class _Import:
    """What an import did."""

    decisions: Decisions
    waiting: frozenset[str]
    added: list[ReviewEvent] = field(default_factory=list)
    replaced: list[tuple[ReviewEvent, ReviewEvent]] = field(default_factory=list)
    """Added decisions, each with an earlier one that is later by its time."""
    outdated: list[Unseen] = field(default_factory=list)
    """Added decisions on masters that a newer version has replaced."""
    refused: list[ReviewEvent] = field(default_factory=list)
    """Decisions that contradict a lock."""

    @property
    def known(self) -> int:
        """Number of decisions that were imported before."""
        return len(self.decisions.events) - len(self.added) - len(self.refused)

    def to_json(self) -> dict[str, object]:
        """A JSON object."""
        return {
            "version": self.decisions.version,
            "reviewer": self.decisions.reviewer,
            "known": self.known,
            "added": [_json(event, self.waiting) for event in self.added],
            "replaced": [
                {"added": event.id, "replaced": _json(earlier, self.waiting)}
                for event, earlier in self.replaced
            ],
            "outdated": [{"added": one.event.id, "words": one.words} for one in self.outdated],
            "refused": [_json(event, self.waiting) for event in self.refused],
        }

    def print(self) -> None:
        """Print the decisions, with notes and warnings."""
        print_table([_row(event, self.waiting) for event in self.added], _COLUMNS)
        for event, earlier in self.replaced:
            print_stderr(
                f"note: this {event.action} of {event.name} ({event.at}) replaces {earlier.by}'s later "
                f"{earlier.action} ({earlier.at}), because reviews count from their import"
            )
        for one in self.outdated:
            print_warning(f"this {one.event.action} of {one.event.name}: {one.words}")
        if self.refused:
            print_warning(f"not imported: {lock_fault(self.refused)}; then import the file again")
        print_stderr(
            f"{counted(len(self.added), 'decision')} of {self.decisions.reviewer} added; {self.known} already known"
        )


def _json(event: ReviewEvent, waiting: frozenset[str]) -> dict[str, object]:
    return {"id": event.id, **asdict(event), "waiting": event.master in waiting}


def _row(event: ReviewEvent, waiting: frozenset[str]) -> tuple[str, ...]:
    mark = " (waiting)" if event.master in waiting else ""
    text = f"{event.name}{mark}{str(event).removeprefix(event.name)}"
    return shown_time(event.at), paint(event.action), text
