"""Which old versions may go when only the newest are to stay."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.catalog.catalog import Catalog
from pipeline.catalog.channels import LATEST, ChannelMove
from pipeline.catalog.reviews import Reviews
from pipeline.errors import UsageError
from pipeline.provenance import MASTER_SCHEMA
from pipeline.store import named_objects


def retirable(catalog: Catalog, newest: int) -> list[int]:
    """Numbers of the versions that may go, oldest first.

    The ``newest`` versions stay, every version to which a channel points, and every version to which a person ever
    pointed a channel: it may have shipped. Raises `UsageError` where ``newest`` is below 1.
    """
    if newest < 1:
        raise UsageError(f"--keep {newest} would leave no version; give 1 or more")
    numbers = catalog.numbers()
    stay = set(numbers[-newest:])
    for name in catalog.channels.names():
        channel = catalog.channel(name)
        if channel is not None:
            stay.add(channel["version"])
            stay |= {move["version"] for move in channel["history"] if name != LATEST}
    return [number for number in numbers if number not in stay]


def forget_files(catalog: Catalog, numbers: Sequence[int]) -> None:
    """Have no channel record files of the versions ``numbers`` any more: they are about to go."""
    with catalog.channels.held() as fence:
        for channel in list(catalog.channels.readable()):
            history = [
                _without_files(move) if move["version"] in numbers else move for move in channel["history"]
            ]
            if history != channel["history"]:
                catalog.channels.write(channel["name"], history, fence)


def _without_files(move: ChannelMove) -> ChannelMove:
    move = move.copy()
    move.pop("files", None)
    return move


def folders_of(number: int) -> tuple[str, str]:
    """Where the files of a version lie, and those of its report."""
    return f"catalog/{number:06d}", f"reports/{number:06d}"


def approved_objects(catalog: Catalog) -> set[str]:
    """SHA-256 of every object of the masters that are approved, published or not, and of their takes."""
    store = catalog.store
    approved = store.get_records("masters", Reviews(store).state().approved, MASTER_SCHEMA)
    return {ref.sha256 for _, record in approved for ref in named_objects(record)}
