"""What the licence of a model's weights asks, in a table and as engines state it, and whether a studio's declaration
meets it.

An engine states the terms of each model as data; the manifest declares what applies to the studio. The plan, the
release gate and the list of licences ask `ModelLicense.refusal`. Neither side is part of a recipe or a master: a
changed declaration changes the answer and makes nothing again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class License:
    """What a licence asks for, in short."""

    spdx: str
    conditions: str
    url: str
    checked: str = "2026-11-28"


_LICENSES = (
    License(
        "CC-BY-NC-4.0",
        "Use is not commercial; name the authors, the licence and changes.",
        "https://creativecommons.org/licenses/by-nc/4.0/",
    ),
    License(
        "CC-BY-4.0",
        "Name the authors, the licence and changes.",
        "https://creativecommons.org/licenses/by/4.0/",
    ),
    License("CC0-1.0", "No conditions.", "https://creativecommons.org/publicdomain/zero/1.0/"),
    License(
        "MIT", "Copies of the software keep its copyright and licence text.", "https://spdx.org/licenses/MIT"
    ),
    License(
        "Apache-2.0",
        "Copies of the work keep its licence, notices and a note of changes.",
        "https://spdx.org/licenses/Apache-2.0",
    ),
)
LICENSES = {row.spdx: row for row in _LICENSES}
"""By SPDX identifier."""
UNKNOWN_CONDITIONS = "Cuesmith does not know this licence: read its text."


def conditions_of(license: str) -> str:
    """What the licence asks for; `UNKNOWN_CONDITIONS` if the table does not have it."""
    known = LICENSES.get(license)
    return known.conditions if known else UNKNOWN_CONDITIONS


@dataclass(frozen=True, slots=True)
class _Stated:
    """Facts that somebody states; those that are not stated are empty."""

    def to_json(self) -> dict[str, Any]:
        """What is stated, as a JSON object."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; what a later release added is left out."""
        return cls(**{field.name: value[field.name] for field in fields(cls) if field.name in value})


@dataclass(frozen=True, slots=True)
class LicenseTerms(_Stated):
    """The conditions of a licence, as somebody read them in ``source``."""

    source: str
    """Where the text of the licence is: an address."""
    read: str
    """The date on which somebody read it, ISO 8601."""
    revenue_below_usd: int | None = None
    """Commercial use is allowed only to studios with a yearly revenue below this."""
    attribution: str = ""
    """A text that the game's credits must show; empty if none is asked for."""
    registration: str = ""
    """Where a studio must register before commercial use: an address; empty if nowhere."""


@dataclass(frozen=True, slots=True)
class LicenseDeclaration(_Stated):
    """What a studio declares about itself and its game: ``license`` at the top of a manifest."""

    commercial: bool
    """Whether the game is sold, or earns money in another way."""
    revenue_below_usd: int | None = None
    """The studio's yearly revenue is below this; None: not declared."""


@dataclass(frozen=True, slots=True)
class ModelLicense:
    """The licence of one model's weights."""

    engine: str
    model: str
    license: str
    """SPDX identifier, or a plain name if there is none."""
    commercial: bool
    """Whether it allows output in a game that is sold, perhaps under conditions."""
    terms: LicenseTerms | None
    """None: nobody has stated more than ``commercial``."""

    @property
    def duties(self) -> tuple[str, ...]:
        """What a release under this licence must do, in words."""
        terms = self.terms
        register = f"register at {terms.registration}" if terms and terms.registration else ""
        credit = f"show in the credits: {terms.attribution}" if terms and terms.attribution else ""
        return tuple(filter(None, (register, credit)))

    def to_json(self, declared: LicenseDeclaration | None) -> dict[str, Any]:
        """A JSON object, with the answer under what is ``declared``."""
        terms = self.terms.to_json() if self.terms else None
        return {
            **asdict(self),
            "terms": terms,
            "refused": self.refusal(declared),
            "duties": list(self.duties),
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> ModelLicense:
        """The licence in the ``model`` of a take's record."""
        terms = facts.get("terms")
        return cls(
            facts["engine"],
            facts["id"],
            facts["license"],
            facts["commercial"],
            LicenseTerms.from_json(terms) if terms else None,
        )

    def refusal(self, declared: LicenseDeclaration | None) -> str | None:
        """Why the licence does not allow a release under what is ``declared``; None if it does.

        Without a declaration the game counts as sold, by a studio of unknown revenue. An unknown licence allows
        nothing.
        """
        if not self.license.strip() or self.license.strip().casefold().startswith("unknown"):
            return "its license is unknown"
        if declared is not None and not declared.commercial and (self.commercial or self.terms is not None):
            return None
        if not self.commercial:
            known = "does not allow" if self.terms else "is not known to allow"
            return f"{self.license} {known} commercial use"
        return self._revenue_refusal(declared.revenue_below_usd if declared else None)

    def _revenue_refusal(self, declared: int | None) -> str | None:
        limit = self.terms.revenue_below_usd if self.terms else None
        if limit is None or (declared is not None and declared <= limit):
            return None
        condition = f"{self.license} allows commercial use below USD {limit:,} of yearly revenue"
        if declared is None:
            return f"{condition}, and the manifest declares none"
        return f"{condition}, and the manifest declares one below USD {declared:,}"
