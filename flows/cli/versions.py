"""The catalog of a command, and the version of it that an option names."""

from __future__ import annotations

from pipeline.catalog import Catalog, Version
from pipeline.errors import UsageError
from pipeline.store import Store

_DIGITS = 19
"""A longer number is no version, and Python reads no number of thousands of digits."""


def open_catalog(outputs: str) -> Catalog:
    """The catalog in the store at ``outputs``."""
    return Catalog(Store.open(outputs))


def existing_version(catalog: Catalog, number: int) -> Version:
    """Return version ``number``. Raises `UsageError` if the catalog has no such version."""
    check_versions(catalog, number)
    return catalog.read(number)


def check_versions(catalog: Catalog, *numbers: int | None) -> None:
    """Raise `UsageError` for a number that is no version of the catalog; None is no number."""
    for number in numbers:
        if number is not None and number not in catalog.numbers():
            raise UsageError(f"the catalog has no version {number}; to list all: cuesmith catalog versions")


def version_or_latest(catalog: Catalog, number: int | None) -> Version:
    """Return version ``number``, or the latest version if it is None.

    Raises `UsageError` if there is no such version, or none yet.
    """
    if number is not None:
        return existing_version(catalog, number)
    latest = catalog.latest()
    if latest is None:
        raise UsageError(f"no catalog in {catalog.store.root}; create one: cuesmith build")
    return latest


def open_version(outputs: str, number: int | None) -> tuple[Catalog, Version]:
    """The catalog in the store at ``outputs``, and `version_or_latest` of it."""
    catalog = open_catalog(outputs)
    return catalog, version_or_latest(catalog, number)


def channel_version(catalog: Catalog, name: str) -> Version:
    """Return the version that the channel ``name`` points to, or the version with this number.

    Raises `UsageError` if there is no such channel or version.
    """
    if name.isascii() and name.isdecimal() and len(name) < _DIGITS:
        return existing_version(catalog, int(name))
    channel = catalog.channel(name) if name in catalog.channels.names() else None
    if channel is None:
        # Without a version there is no channel at all.
        version_or_latest(catalog, None)
        names = ", ".join(catalog.channels.names())
        raise UsageError(f"unknown channel {name!r}; available: {names}, or a version's number")
    return catalog.read(channel["version"])
