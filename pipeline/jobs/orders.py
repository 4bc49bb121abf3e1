"""What is ordered of a worker: frozen values that travel to its process."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.manifest.spec import AssetSpec
from pipeline.plan import TakeOrder
from pipeline.provenance import ManifestFacts


@dataclass(frozen=True, slots=True)
class TakesJob:
    """Takes to make on one device with one engine."""

    engine: str
    device: str
    orders: tuple[TakeOrder, ...]
    run: str
    prefect_run: str | None


@dataclass(frozen=True, slots=True)
class VariationOrder:
    """One variation that takes part in its asset's gain."""

    variation: int
    takes: tuple[str, ...]
    """Recipe digests of the candidates that exist."""
    master: str
    """Digest that its master has."""
    made: bool
    """Its master is in the store already; it only lends its loudness."""


@dataclass(frozen=True, slots=True)
class AssetOrder:
    """One asset to master."""

    asset: AssetSpec
    variations: tuple[VariationOrder, ...]
    anchors: tuple[str, ...]
    """Digests of masters that stay; when there are any, the new ones take their gain."""
    gain_group: str
    """Identity of the gain that the new masters share."""
    manifest: ManifestFacts

    @property
    def wanted(self) -> list[str]:
        """Digests of the masters to make."""
        return [order.master for order in self.variations if not order.made]

    @property
    def seconds(self) -> float:
        """Audio-seconds to master."""
        return self.asset.duration_s * len(self.wanted)


@dataclass(frozen=True, slots=True)
class MasterJob:
    """Assets to master in one process."""

    assets: tuple[AssetOrder, ...]
    run: str
    prefect_run: str | None
    device: str
