"""Every legal fact that a disclosure states, and the conditions of licences: one row each, with source and date.

These tables are not legal advice. Nothing else in the code states a legal fact, so whoever checks them reads this file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Topic = Literal["steam", "ai-act"]
ADVICE = "Cuesmith lists facts and does not give legal advice. Ask your lawyer before you publish."


@dataclass(frozen=True, slots=True)
class LegalFact:
    """One statement about rules, as its source had it on the date of the check."""

    topic: Topic
    text: str
    source: str
    url: str
    checked: str
    """ISO 8601 date on which the source was read."""
    secondary: bool = False
    """True if the source only reports what the rule says."""


LEGAL_FACTS = (
    LegalFact(
        "steam",
        "The Content Survey asks about content that was made with AI tools and ships with the game, sound included "
        "(pre-generated), and about content that AI tools make while the game runs (live-generated).",
        "Valve, Steamworks Documentation, Content Survey",
        "https://partner.steamgames.com/doc/gettingstarted/contentsurvey",
        "2026-11-28",
    ),
    LegalFact(
        "steam",
        "For pre-generated content you promise Valve that the game has no illegal or infringing content, and much of "
        "your answer is shown on the store page.",
        "Valve, AI Content on Steam, January 2024, as quoted by the press",
        "https://cogconnected.com/2024/01/steam-now-requires-games-to-disclose-their-use-of-ai-generated-content/",
        "2026-11-28",
        secondary=True,
    ),
    LegalFact(
        "steam",
        "AI tools that only help to develop a game, such as code assistants, need no answer.",
        "Legal Clarity, How to Complete the Steam AI Disclosure Form",
        "https://legalclarity.org/how-to-complete-the-steam-ai-disclosure-form-in-steamworks/",
        "2026-11-28",
        secondary=True,
    ),
    LegalFact(
        "ai-act",
        "Article 50(2): providers of AI systems that generate synthetic audio ensure that the output is marked in a "
        "machine-readable format and is detectable as artificially generated.",
        "Warrant, on Regulation (EU) 2024/1689 (official text: https://eur-lex.europa.eu/eli/reg/2024/1689/oj)",
        "https://www.warrant.build/blog/eu-ai-act-article-50-transparency-code-of-practice",
        "2026-11-28",
        secondary=True,
    ),
    LegalFact(
        "ai-act",
        "Article 50(4): deployers disclose deep fakes; for an evidently artistic or fictional work, in a manner that "
        "does not hamper its display or enjoyment.",
        "Regulation (EU) 2024/1689, recital 134, as overview.legal prints it",
        "https://overview.legal/laws/ai-act/rec-134",
        "2026-11-28",
        secondary=True,
    ),
    LegalFact(
        "ai-act",
        "Article 50 applies from 2 August 2026.",
        "Warrant, on Regulation (EU) 2024/1689",
        "https://www.warrant.build/blog/eu-ai-act-article-50-transparency-code-of-practice",
        "2026-11-28",
        secondary=True,
    ),
    LegalFact(
        "ai-act",
        "AI systems that were on the market before 2 August 2026 have until 2 December 2026 to mark their output.",
        "Licentium, on the AI omnibus that the Council adopted on 29 June 2026",
        "https://www.licentium.io/post/eu-commission-code-of-practice-ai-generated-content-transparency-june-2026",
        "2026-11-28",
        secondary=True,
    ),
    LegalFact(
        "ai-act",
        "The voluntary code of practice of 10 June 2026 asks for two markings: digitally signed metadata (1.1.1) and "
        "an imperceptible watermark (1.1.2).",
        "IPTC, EU AI transparency code of practice",
        "https://iptc.org/news/eu-ai-transparency-code-of-practice-june-2026/",
        "2026-11-28",
        secondary=True,
    ),
)


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


def facts_about(topic: Topic) -> tuple[LegalFact, ...]:
    """The facts of one topic, in their order."""
    return tuple(fact for fact in LEGAL_FACTS if fact.topic == topic)


def conditions_of(license: str) -> str:
    """What the licence asks for; `UNKNOWN_CONDITIONS` if the table does not have it."""
    known = LICENSES.get(license)
    return known.conditions if known else UNKNOWN_CONDITIONS
