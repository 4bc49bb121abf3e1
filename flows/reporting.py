"""Write the report after a build publishes. If that fails, the build still succeeds."""

from __future__ import annotations

from flows.journal import Journal
from pipeline.catalog import Version, read_quarantine
from pipeline.errors import CuesmithError
from pipeline.report import write_report
from pipeline.store import Store


def report_build(store: Store, version: Version | None, journal: Journal) -> str | None:
    """Write the report of a new version with the quarantined masters. Returns its key; None if it failed.

    Without a version, the report shows only quarantined masters. A failure goes to the journal, which warns the user;
    the version stays published.
    """
    quarantine = read_quarantine(store)
    if version is None and not (quarantine and quarantine.masters):
        return None
    try:
        written = write_report(store, version.number if version else None)
    except CuesmithError as error:
        journal.write("report-failed", reason=str(error))
        return None
    except Exception as error:
        journal.write("report-failed", reason=f"{type(error).__name__}: {error}; report this as a bug")
        return None
    lacking = list(written.without_pictures)
    journal.write("report", report=written.key, took=written.seconds, without_pictures=lacking)
    return written.key
