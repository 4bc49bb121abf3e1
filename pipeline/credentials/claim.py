"""The claim about a sound, and the C2PA manifest that states it.

The manifest's first action is ``c2pa.created`` with the IPTC digital source type; a watermark is a second one.
Cuesmith's own assertion, `PROVENANCE`, has the facts that a studio looks for. It contains the SHA-256 of the prompt and
never its words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline import __version__
from pipeline.provenance import MasterRow, ObjectJson, disclosure

PROVENANCE = "org.cuesmith.provenance"


@dataclass(frozen=True, slots=True)
class Claim:
    """What the credentials of one master say."""

    title: str
    digital_source_type: str
    """IPTC NewsCodes URL: made by a trained model or by a procedure."""
    facts: Mapping[str, Any]
    """Content of the assertion `PROVENANCE`, with at least ``model`` and ``revision``."""


def claim_of(project: str, row: MasterRow) -> Claim:
    """The claim about the master of a catalog row."""
    origin = disclosure(neural=row["neural"], engine=row["engine"], model=row["model"])
    facts = {
        "project": project,
        "asset": row["asset"],
        "variation": row["variation"],
        "catalog_id": row["master"],
        "engine": row["engine"],
        "model": row["model"],
        "revision": row["revision"],
        "license": row["license"],
        "prompt_sha256": hashlib.sha256(row["prompt"].encode()).hexdigest(),
        "recipe_sha256": row["take"],
        "statement": origin["statement"],
        **({"watermark": row["watermark"]} if "watermark" in row else {}),
    }
    title = f"{row['asset']}_{row['variation']:02d}"
    return Claim(title, origin["digital_source_type"], facts)


def definition(claim: Claim, also: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest definition of ``claim`` (C2PA 2.x), with the facts of ``also`` in `PROVENANCE`."""
    created = {
        "action": "c2pa.created",
        "digitalSourceType": claim.digital_source_type,
        "softwareAgent": {"name": claim.facts["model"], "version": claim.facts["revision"]},
    }
    actions, mark = [created], claim.facts.get("watermark")
    if mark:
        # Unbound: the mark does not lead to these credentials.
        agent = {"name": mark["model"], "version": mark["revision"]}
        actions.append({"action": "c2pa.watermarked.unbound", "softwareAgent": agent})
    return {
        "claim_generator_info": [{"name": "Cuesmith", "version": __version__}],
        "title": claim.title,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}},
            {"label": PROVENANCE, "data": {**claim.facts, **also}},
        ],
    }


@dataclass(frozen=True, slots=True)
class SignedFiles:
    """The files of one master after signing."""

    master: str
    signed_by: str
    files: Mapping[str, ObjectJson]
    """Library path to object, sidecars included."""
