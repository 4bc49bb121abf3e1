"""Labels (metadata) of a delivered file."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.manifest.spec import Kind

TOOL = "Cuesmith"


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one rendition. They contain no clock time, host or path, so files are reproducible."""

    title: str
    project: str
    asset: str
    """The asset's id."""
    variation: int
    kind: Kind
    catalog_id: str
    """The master's identity in the catalog."""
    disclosure: str
    """How the sound was made, as text for people: AI-generated or procedural."""
    generated: bool
    """True when a trained model made the sound."""
    license: str
    """SPDX identifier, or a plain name without one."""
    recipe_digest: str
    tempo_bpm: float | None = None
    ucs_category: str | None = None
    """CatID, such as ``FOOTHmn``."""
    ucs_name: str | None = None
    """FXName."""

    def plain(self) -> list[tuple[str, str]]:
        """Names and values for formats that take any name (Vorbis comments, ID3 TXXX, MP4 freeform), in
        order."""
        pairs = [
            ("CUESMITH_ASSET", self.asset),
            ("CUESMITH_VARIATION", str(self.variation)),
            ("CUESMITH_KIND", self.kind),
            ("CUESMITH_CATALOG_ID", self.catalog_id),
            ("CUESMITH_RECIPE", self.recipe_digest),
            ("AI_GENERATED", "true" if self.generated else "false"),
            ("LICENSE", self.license),
            ("CATID", self.ucs_category or ""),
            ("FXNAME", self.ucs_name or ""),
        ]
        return [(name, value) for name, value in pairs if value]


def tempo_text(bpm: float) -> str:
    """Beats a minute without trailing zeros.

    >>> tempo_text(92.0), tempo_text(91.7)
    ('92', '91.7')
    """
    return f"{bpm:g}"
