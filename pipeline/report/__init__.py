"""The report of a catalog version: one static page to read, hear, compare and decide, from disk or served.

``reports/000042/index.html`` holds the page and what its list shows; ``details-000.js`` beside it hold what one
master shows when it is opened; ``reports/cache/`` holds pictures and loops by the hash of their samples, for all
reports. Scripts carry the data because a page that was opened from disk may read nothing else.
"""

from pipeline.report.entries import Standing, standing_of
from pipeline.report.write import Report, write_report

__all__ = ["Report", "Standing", "standing_of", "write_report"]
