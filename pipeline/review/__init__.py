"""Reviewing: decisions on masters as events, and the file in which a static report exports them."""

from pipeline.review.decisions import (
    DECISIONS_SCHEMA,
    Decisions,
    decide,
    read_decisions,
    review_event,
    reviewer_name,
)

__all__ = ["DECISIONS_SCHEMA", "Decisions", "decide", "read_decisions", "review_event", "reviewer_name"]
