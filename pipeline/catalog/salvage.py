"""A damaged channel, made again from the moves that can be read in its file and from the versions that there are."""

from __future__ import annotations

from pipeline.catalog.catalog import Catalog
from pipeline.catalog.channels import CHANNEL_SCHEMA, LATEST, Channel, ChannelMove, moment
from pipeline.errors import FormatError
from pipeline.store import NewerFormatError


def salvaged(catalog: Catalog, name: str) -> Channel | None:
    """The channel called ``name`` from what its file still tells; None where nothing tells where it pointed.

    It points where the last move by time went. Builds publish every version to ``latest``, so that channel knows the
    versions that there are, whatever is left of its file.
    """
    moves = catalog.channels.salvage(name)
    if name == LATEST:
        told = {move["version"] for move in moves}
        published = [
            ChannelMove(version=version.number, at=version.created, by=version.run, action="publish")
            for version in catalog.readable()
            if version.number not in told
        ]
        moves = sorted([*published, *moves], key=lambda move: moment(move["at"]))
    if not moves:
        return None
    return Channel(schema=CHANNEL_SCHEMA, name=name, version=moves[-1]["version"], history=moves)


def channel_or_salvaged(catalog: Catalog, name: str) -> Channel | None:
    """The channel called ``name``, or what `salvaged` makes of it where it is damaged.

    Raises `FormatError` where it is damaged and nothing can be read of it, and for one of a newer release.
    """
    try:
        channel = catalog.channel(name)
        return salvaged(catalog, name) if channel is None and name == LATEST else channel
    except NewerFormatError:
        raise
    except FormatError:
        channel = salvaged(catalog, name)
        if channel is None:
            raise
        return channel
