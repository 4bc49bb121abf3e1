"""Every legal fact that a disclosure states: one row each, with source and date.

This table is not legal advice. Nothing else in the code states a legal fact except `pipeline.licenses`, which has the
conditions of licences, so whoever checks them reads these two files.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Topic = Literal["steam", "ai-act"]
ADVICE = "Cuesmith lists facts and does not give legal advice. Ask your lawyer before you publish."


class LegalFact(NamedTuple):
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
