"""Review on this machine: the report's page, served so that its decisions go straight into the catalog.

``api`` says what may be asked and what is refused, ``server`` opens it on loopback.
"""

from pipeline.review.api import review_app
from pipeline.review.server import ReviewServer

__all__ = ["ReviewServer", "review_app"]
