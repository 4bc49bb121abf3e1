"""Reviewing: decisions on masters as events, and the file in which a static report exports them."""

from pipeline.review.decisions import (
    DECISIONS_SCHEMA,
    Decision,
    Decisions,
    decide,
    read_decisions,
    reviewer_name,
)

__all__ = ["DECISIONS_SCHEMA", "Decision", "Decisions", "decide", "read_decisions", "reviewer_name"]
