"""Review events into a store, as the commands and the review server add them."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.catalog import ReviewEvent, Reviews, new_events


def add(reviews: Reviews, *events: ReviewEvent) -> None:
    """Append ``events``, also those that the file has."""
    reviews.add_after(lambda known: list(events))


def add_new(reviews: Reviews, events: Iterable[ReviewEvent]) -> list[ReviewEvent]:
    """Append the events that the file does not have yet; returns them."""
    return reviews.add_after(lambda known: new_events(events, known))
