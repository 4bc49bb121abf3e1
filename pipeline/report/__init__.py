"""The report of a catalog version: one static page to listen, compare and decide, from disk or served.

``reports/000042/index.html`` has the page with the data of its list; ``details-000.js`` beside it have the
details of open masters; ``reports/cache/`` has pictures and loops by the hash of their samples, for all reports. The
data is in scripts because a page opened from disk may read nothing else.
"""

from pipeline.report.entries import review_state_json as review_state_json
from pipeline.report.write import Report as Report
from pipeline.report.write import write_report as write_report
