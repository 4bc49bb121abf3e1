"""Digests of mastering: of the specs alone, of the takes that share a gain, and of the master that they give."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import lru_cache

from pipeline.manifest.spec import AssetSpec, DeliverySpec, MasteringSpec, QualitySpec, Ucs
from pipeline.provenance import MasterRow
from pipeline.recipe import digest

CHAIN_VERSION = "7"
"""Of the mastering chain and of delivery: rises when the same takes and specs would give other bytes."""


def mastering_digest(asset: AssetSpec, project: str) -> str:
    """Digest of all that shapes an asset's masters besides their takes: mastering, delivery, gates,
    labels."""
    return _mastering_digest(asset.mastering, asset.delivery, asset.quality, project, asset.origin, asset.ucs)


def group_digest(candidates: Iterable[Sequence[str]]) -> str:
    """Digest of the takes that share one gain, in any order; each item holds a variation's candidates."""
    return hashlib.sha256("\n".join(sorted(" ".join(takes) for takes in candidates)).encode()).hexdigest()


def gain_group_of(row: MasterRow) -> str:
    """The identity of the gain that a master has; of one whose record does not tell, its own."""
    return row["gain_group"] or f"held {row['master']}"


def master_digest(mastering: str, variation: int, takes: Sequence[str], group: str) -> str:
    """The identity of one master: its specs, its variation, its candidates and the takes it shares a gain with."""
    text = "\n".join(["cuesmith.mastering/1", CHAIN_VERSION, mastering, str(variation), *takes, group])
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=4096)
def _specs_digest(mastering: MasteringSpec, delivery: DeliverySpec, quality: QualitySpec) -> str:
    return digest(
        {
            "mastering": asdict(mastering),
            "delivery": {**asdict(delivery), "formats": list(delivery.formats)},
            "quality": asdict(quality),
        }
    )


def _mastering_digest(
    mastering: MasteringSpec,
    delivery: DeliverySpec,
    quality: QualitySpec,
    project: str,
    asset: str,
    ucs: Ucs | None,
) -> str:
    labels = [project, asset, ucs.category if ucs else "", (ucs.name or "") if ucs else ""]
    text = "\n".join([_specs_digest(mastering, delivery, quality), *labels])
    return hashlib.sha256(text.encode()).hexdigest()
