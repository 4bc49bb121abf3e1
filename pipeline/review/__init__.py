"""Reviewing: decisions on masters as events, and the file in which a static report hands them over."""

from pipeline.review.decisions import (
    DECISIONS_SCHEMA,
    Decisions,
    decide,
    event_on,
    read_decisions,
    reviewer_name,
)

__all__ = ["DECISIONS_SCHEMA", "Decisions", "decide", "event_on", "read_decisions", "reviewer_name"]
