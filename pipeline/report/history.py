"""How a version differs from others: new and changed masters, versions to compare by ear, growth of the catalog."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from pipeline.catalog import Catalog, Version
from pipeline.provenance import MasterRow

LOOK_BACK = 20
"""Versions that are read for earlier masters; older ones are opened with ``--against``."""

Place = tuple[str, int]

_COMPARED = {
    "prompt": "prompt",
    "engine": "engine",
    "model": "model",
    "revision": "model revision",
    "seed": "seed",
    "mastering": "mastering",
    "target_lufs": "loudness target",
    "loudness_lufs": "loudness",
    "true_peak_dbtp": "true peak",
    "seconds": "length",
}


@dataclass(frozen=True)
class History:
    """Versions up to the one that is reported."""

    against: Version | None
    """The version that the report compares with."""
    earlier: tuple[Version, ...]
    """Versions whose masters the page offers for comparison, newest first."""
    sizes: tuple[tuple[int, int, float], ...]
    """Version, masters and audio-seconds of each of these and of the reported one, oldest first."""

    def with_current(self, version: Version) -> History:
        """What a master outside ``version`` is heard beside: its masters first, then the earlier ones."""
        return History(None, (version, *self.earlier), self.sizes)


def read_history(catalog: Catalog, version: Version, against: int | None) -> History:
    """Read the last versions before ``version``; compare with ``against``, or else with its parent.

    Versions that cannot be read are left out; `StoreError` or `VerificationError` where ``against`` is one.
    """
    numbers = [number for number in catalog.numbers() if number < version.number]
    earlier = list(islice(catalog.readable(reversed(numbers)), LOOK_BACK))
    wanted = version.parent if against is None else against
    compared = next((found for found in earlier if found.number == wanted), None)
    there = wanted in numbers and catalog.broken(wanted) is None
    if compared is None and wanted is not None and (against is not None or there):
        compared = catalog.read(wanted)
        earlier.append(compared)
    sizes = [(v.number, len(v.masters), _seconds(v)) for v in (version, *earlier)]
    return History(compared, tuple(earlier), tuple(sorted(sizes)))


def changes(row: MasterRow, before: MasterRow) -> list[str]:
    """What changed in a master, in words; empty if the sound is the same."""
    if row["pcm_sha256"] == before["pcm_sha256"]:
        return []
    found = []
    for key, word in _COMPARED.items():
        old, new = before.get(key), row.get(key)
        if old == new:
            continue
        if isinstance(old, float) and isinstance(new, float):
            found.append(f"{word} {old:.2f} → {new:.2f}")
        else:
            found.append(word)
    return found or ["sound"]


def others(
    row: MasterRow, history: Sequence[Version], approved: Collection[str]
) -> list[tuple[Version, MasterRow, bool]]:
    """Earlier masters of the same variation with other samples, newest first, each once, with its approval."""
    seen = {row["pcm_sha256"]}
    found = []
    for version in history:
        before = version.by_variation.get((row["asset"], row["variation"]))
        if before is not None and before["pcm_sha256"] not in seen:
            seen.add(before["pcm_sha256"])
            found.append((version, before, before["master"] in approved))
    return found


def removed(version: Version, before: Version | None) -> list[Place]:
    """Variations that ``before`` has and ``version`` has not."""
    known: Mapping[Place, MasterRow] = before.by_variation if before else {}
    return sorted(known.keys() - version.by_variation.keys())


def _seconds(version: Version) -> float:
    return round(sum(row["seconds"] for row in version.masters), 3)
