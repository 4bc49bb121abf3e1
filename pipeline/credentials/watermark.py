"""The watermark of a file: what its credentials say of it, and what the detector finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.audio import read
from pipeline.credentials.checking import Verdict
from pipeline.credentials.claim import PROVENANCE
from pipeline.errors import MachineError, UsageError
from pipeline.mastering.watermark import detect
from pipeline.watermarks import message_text
from pipeline.watermarks.registry import open_watermarker

State = Literal["found", "other message", "not found", "not checked", "not asked"]

NOT_ASKED = "no credentials name one; --watermark NAME looks for one"


@dataclass(frozen=True, slots=True)
class WatermarkVerdict:
    """The result of looking for a watermark in one file."""

    state: State
    """``other message``: there is a mark, but not the one that the credentials name; ``not checked``: they name one,
    and this machine lacks its detector; ``not asked``: they name none, and nobody asked for one."""
    name: str | None = None
    probability: float | None = None
    message: str | None = None
    """What the detector read; None if it found no mark."""
    expected: str | None = None
    """What the credentials name; None if they name no mark."""
    reason: str | None = None
    """Why it was not checked."""

    @property
    def is_failure(self) -> bool:
        """Whether a mark that should be there is not."""
        return self.state in ("not found", "other message")

    def __str__(self) -> str:
        """In one line."""
        if self.state in ("not asked", "not checked"):
            return f"{self.state}: {self.reason or NOT_ASKED}"
        facts = [str(self.name), f"probability {self.probability:.2f}"]
        facts += [f"message {self.message}"] if self.message else []
        facts += [f"expected {self.expected}"] if self.expected else []
        return f"{self.state} ({', '.join(facts)})"

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)


def check_watermark(path: Path, verdict: Verdict, wanted: str | None = None) -> WatermarkVerdict:
    """Look in the file at ``path`` for the watermark ``wanted``, or for the one that its credentials name.

    Raises `UsageError` for a file that cannot be read, and if ``wanted`` is unknown; `MachineError` if this machine
    lacks the detector of ``wanted``.
    """
    claimed = _claimed(verdict)
    name = wanted or (claimed and claimed["name"])
    if not name:
        return WatermarkVerdict("not asked")
    expected = claimed["message"] if claimed and claimed["name"] == name else None
    try:
        watermarker = open_watermarker(name)
    except (UsageError, MachineError) as error:
        if wanted:
            raise
        return WatermarkVerdict("not checked", name, expected=expected, reason=str(error))
    found = detect(read(path), watermarker)
    if not found.is_present:
        return WatermarkVerdict("not found", name, round(found.probability, 3), None, expected)
    state: State = "found" if expected is None or found.has(int(expected, 16)) else "other message"
    return WatermarkVerdict(state, name, round(found.probability, 3), message_text(found.message), expected)


def _claimed(verdict: Verdict) -> dict[str, Any] | None:
    assertions = (verdict.manifest or {}).get("assertions", ())
    facts = next((item["data"] for item in assertions if item["label"] == PROVENANCE), None)
    claimed = facts.get("watermark") if facts else None
    return claimed if isinstance(claimed, dict) else None
