"""The report that every publishing build makes. It may fail, and the build stands all the same."""

from __future__ import annotations

from flows.journal import Journal
from pipeline.catalog import Version, read_quarantine
from pipeline.errors import CuesmithError
from pipeline.report import write_report
from pipeline.store import Store


def report_build(store: Store, version: Version | None, journal: Journal) -> str | None:
    """Write the report of a version just published, with what is quarantined; returns its key, None when it
    could not be made. Without a version there is what is quarantined alone.

    A failure is an event of the journal, which warns the person, and nothing else: the version is published.
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
